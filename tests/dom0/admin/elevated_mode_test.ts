// SPDX-License-Identifier: GPL-2.0-or-later
/** Elevated mode: whatever ends it, its end is on record. */

import { assertEquals, assertRejects } from "@std/assert";
import { Dom0Error, type RecordQuery } from "../../../dom0/admin/channel/dom0_channel.ts";
import { createElevatedMode } from "../../../dom0/admin/elevated_mode.ts";
import { createSessions, type Session } from "../../../dom0/admin/server/sessions.ts";
import { fakeRecord } from "./fake_channel.ts";

const MINUTE_MS = 60_000;

interface Told {
  readonly action: string;
  readonly by: string;
}

/** A record, a clock and sessions; the daemon does not run while it is "away". */
function dom0() {
  const told: Told[] = [];
  const turns = new Set<() => void>();
  const watchers = new Set<() => void>();
  const scene = { dateMs: 1_000_000, isAway: false };
  const sessions = createSessions(() => scene.dateMs);
  const reach = (): void => {
    if (scene.isAway) throw new Dom0Error("The daemon does not answer.");
  };
  const channel = {
    async note(action: string, by: string) {
      await Promise.resolve(reach());
      told.push({ action, by });
    },
    async records({ text }: RecordQuery) {
      await Promise.resolve(reach());
      const records = told.filter(({ action }) => action.includes(text))
        .map((fields, index) => fakeRecord(index, { event: "operator", fields: { ...fields } }));
      return { records: records.toReversed(), hasMore: false };
    },
    watch(onChange: () => void) {
      watchers.add(onChange);
      return () => void watchers.delete(onChange);
    },
  };
  return {
    scene,
    sessions,
    told,
    words: () => told.map(({ action, by }) => `${by}: ${action}`),
    start: () =>
      createElevatedMode({
        channel,
        sessions,
        clock: {
          dateMs: () => scene.dateMs,
          every(_ms, run) {
            turns.add(run);
            return () => void turns.delete(run);
          },
        },
        changed() {},
      }),
    newSession(): Session {
      const session = sessions.find(sessions.begin());
      if (session === null) throw new Error("no session");
      return session;
    },
    /** The next turn, until all that it does is done. */
    async turn() {
      for (const run of [...turns, ...watchers]) run();
      for (let step = 0; step < 50; step++) await Promise.resolve();
    },
    turns,
  };
}

Deno.test("it ends by its time, and that is on record, once", async () => {
  const { scene, start, newSession, turn, words, turns } = dom0();
  const mode = start();
  const session = newSession();
  await mode.begin(session, 15);
  scene.dateMs += 15 * MINUTE_MS - 1;
  await turn();
  assertEquals([words().length, session.elevatedUntilMs > 0], [1, true]);
  scene.dateMs += 1;
  await turn();
  await turn();
  assertEquals(words(), [
    "web s-1: began elevated mode for 15 minutes",
    "web s-1: ended elevated mode: its time was over",
  ]);
  assertEquals([session.elevatedUntilMs, turns.size], [0, 0], "nothing looks any more");
});

Deno.test("begun again it lasts to the later time, and has one end", async () => {
  const { scene, start, newSession, turn, words } = dom0();
  const mode = start();
  const session = newSession();
  await mode.begin(session, 10);
  scene.dateMs += 5 * MINUTE_MS;
  await mode.begin(session, 10);
  scene.dateMs += 5 * MINUTE_MS;
  await turn();
  assertEquals(words().length, 2);
  scene.dateMs += 5 * MINUTE_MS;
  await turn();
  assertEquals(words().slice(2), ["web s-1: ended elevated mode: its time was over"]);
});

Deno.test("it ends by a person, with its session, and with a stop", async () => {
  const { sessions, start, newSession, turn, words } = dom0();
  const mode = start();
  const [one, two, three] = [newSession(), newSession(), newSession()];
  for (const session of [one, two, three]) await mode.begin(session, 15);
  await mode.end(one, "by hand");
  sessions.end(two.name);
  await turn();
  await mode.close();
  assertEquals(words().slice(3), [
    "web s-1: ended elevated mode: by hand",
    "web s-2: ended elevated mode: its session is over",
    "web s-3: ended elevated mode: the web admin was stopped",
  ]);
});

Deno.test("after a crash the next start says that it ended, and says it once", async () => {
  const { start, newSession, turn, words } = dom0();
  await start().begin(newSession(), 15);
  start(); // the first one wrote nothing more
  await turn();
  start();
  await turn();
  assertEquals(words().slice(1), ["web s-1: ended elevated mode: the web admin was started again"]);
});

Deno.test("with no daemon it ends all the same, is not begun, and the record follows", async () => {
  const { scene, start, newSession, turn, words } = dom0();
  const mode = start();
  const session = newSession();
  await mode.begin(session, 15);
  scene.isAway = true;
  await mode.end(session, "by hand");
  assertEquals([session.elevatedUntilMs, words().length], [0, 1]);
  await assertRejects(() => mode.begin(newSession(), 15), Dom0Error);
  scene.isAway = false;
  await turn();
  assertEquals(words().slice(1), ["web s-1: ended elevated mode: by hand"]);
});

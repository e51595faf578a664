// SPDX-License-Identifier: GPL-2.0-or-later
/** A request that brings a live stream: its command reads what was signed, in order, to its end. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { sha256Hex } from "../../../shared/io/sha256.ts";
import { concat, utf8 } from "../../../shared/protocol/bytes.ts";
import {
  type Chunk,
  makeStreamKey,
  parseChunk,
  signChunk,
  type UnverifiedChunk,
} from "../../../shared/protocol/live/chunk.ts";
import type { RequestEvent } from "../../../dom0/judge/request_event.ts";
import { DEFAULT_CONFIG } from "../../../dom0/settings/config.ts";
import { KEY, namesIn, until } from "../fixture.ts";
import { deskTest, jobOf, script, send, type Sent, turn, withWorld } from "./desk_world.ts";
import { createSeat } from "./seat.ts";

const LIVE = { payload: "live" } as const;

/** What its client makes of the stream's next bytes. */
async function signed(event: RequestEvent, chunk: Chunk): Promise<UnverifiedChunk> {
  if (event.kind !== "request") throw new Error("not of protocol 2");
  const key = await makeStreamKey(KEY, event.request.fields);
  return parseChunk(chunk.offset, concat([await signChunk(key, chunk), chunk.data]));
}

const chunk = (offset: number, text: string, isEnd = false): Chunk => ({
  offset,
  isEnd,
  data: utf8(text),
});

/** Waits until dom0 wants what follows that offset. */
const wanted = (sent: Sent, offset: number | null): Promise<void> =>
  until(`it wants ${offset}`, () => sent.seat.wants.includes(offset));

deskTest(
  "live: asked for when it runs, confirmed when it has it, and on record",
  () =>
    withWorld({}, async (world) => {
      const event = await script("cat\n", 1, LIVE);
      const sent = await send(world, event);
      await wanted(sent, 0);
      jobOf(sent).takeChunk(await signed(event, chunk(0, "hello\n")));
      await wanted(sent, 6);
      jobOf(sent).takeChunk(await signed(event, chunk(6, "end", true)));
      const outcome = await sent.seat.answered;
      assertEquals([outcome.kind, sent.seat.text(1)], ["done", "hello\nend"]);
      assertEquals(sent.seat.wants, [0, 6, 9].slice(0, sent.seat.wants.length));
      const [accepted, done] = Deno.readTextFileSync(`${world.folder}/log/audit.jsonl`).trim()
        .split("\n").map((line) => JSON.parse(line));
      assertEquals([accepted.payload, done.stdin_bytes], ["live", 9]);
    }),
);

deskTest(
  "live: a chunk that is not what was signed ends the command, which sees no end",
  () =>
    withWorld({}, async (world) => {
      const event = await script(`echo begun; cat; touch ${world.folder}/ended\n`, 1, LIVE);
      const sent = await send(world, event);
      await wanted(sent, 0);
      const good = await signed(event, chunk(0, "good\n"));
      jobOf(sent).takeChunk(good);
      await until("it came", () => sent.seat.text(1) === "begun\ngood\n");
      const other = await script("cat\n", 2, LIVE);
      jobOf(sent).takeChunk(await signed(other, chunk(5, "of another request\n", true)));
      const outcome = await sent.seat.answered;
      assertEquals([outcome.kind, outcome.exitCode], ["bad-stream", 126]);
      assertEquals(sent.seat.text(1), "begun\ngood\n");
      assertEquals(namesIn(world.folder).includes("ended"), false);
      assertEquals(world.events().at(-1), "bad-stream");
    }),
);

deskTest(
  "live: a command that closes its stdin is enough, and ends as it likes",
  () =>
    withWorld({}, async (world) => {
      const event = await script(
        "exec <&-; until [ -e go ]; do sleep 0.02; done; exit 4\n",
        1,
        LIVE,
      );
      const sent = await send(world, await event);
      await wanted(sent, 0);
      for (let at = 0; !sent.seat.wants.includes(null); at += 5) {
        jobOf(sent).takeChunk(await signed(event, chunk(at, "hello")));
        await turn();
      }
      assertEquals(sent.seat.outcomes(), []);
      jobOf(sent).stop("cancelled");
      assertEquals((await sent.seat.answered).kind, "cancelled");
    }),
);

deskTest(
  "live: a new session is asked when all that came before has been passed on",
  () =>
    withWorld({}, async (world) => {
      const go = `${world.folder}/go`;
      const event = await script(`until [ -e ${go} ]; do sleep 0.02; done; sha256sum\n`, 1, LIVE);
      const first = await send(world, event);
      await wanted(first, 0);
      const text = "x".repeat(100_000); // more than the pipe takes
      jobOf(first).takeChunk(await signed(event, chunk(0, text)));
      first.seat.close();
      jobOf(first).detach(first.seat);
      const second = await send(world, event, { seat: createSeat() });
      assertEquals(second.seat.wants, []);
      Deno.writeTextFileSync(go, "");
      await wanted(second, 100_000);
      jobOf(second).takeChunk(await signed(event, chunk(100_000, "", true)));
      await second.seat.answered;
      assertStringIncludes(second.seat.text(1), sha256Hex(utf8(text)));
    }),
);

deskTest(
  "live: one whose session does not come back ends with its time, and sees no end",
  () =>
    withWorld({}, async (world) => {
      const event = await script(`cat; touch ${world.folder}/ended\n`, 1, {
        ...LIVE,
        timeoutMs: 300,
      });
      const sent = await send(world, event);
      await wanted(sent, 0);
      assertEquals((await sent.seat.answered).kind, "timeout");
      assertEquals(namesIn(world.folder).includes("ended"), false);
    }),
);

deskTest(
  "live: a person is asked before anything comes, and told what it is",
  () =>
    withWorld({ action: "ask", asks: () => Promise.reject(new Error()) }, async (world) => {
      const event = await script("cat\n", 1, LIVE);
      const sent = await send(world, event);
      await until("it waits", () => world.parking.views().length === 1);
      const [view] = world.parking.views();
      assert(view !== undefined);
      assertEquals([view.brings, sent.seat.wants], ["live", []]);
      const { vm, id, hash } = view;
      const by = { user: "root", via: "test" };
      await world.parking.approve({ vm, id, hash, forSeconds: 0, allLike: false }, by);
      await wanted(sent, 0);
      jobOf(sent).takeChunk(await signed(event, chunk(0, "yes\n", true)));
      assertEquals((await sent.seat.answered).kind, "done");
      assertEquals(sent.seat.text(1), "yes\n");
    }),
);

deskTest("live: an operator who wants none gets none", async () => {
  const config = { ...DEFAULT_CONFIG, liveStdin: false };
  await withWorld({ config }, async (world) => {
    const sent = await send(world, await script("cat\n", 1, LIVE));
    assertEquals((await sent.seat.answered).reason, "bad-payload");
    assertStringIncludes(sent.seat.text(2), "QVM_REMOTE_LIVE_STDIN is no");
    assertEquals(sent.seat.wants, []);
  });
});

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Elevated mode: in memory only, and each begin and each end is on record, whatever ended it: its time, a
 * person, the end of the session, a stop. After a crash nobody was there to write the end: the next
 * start reads the record for what began and has none.
 *
 * @module
 */

import type { Clock } from "../../shared/io/clock.ts";
import { serialised, within } from "../../shared/io/timing.ts";
import type { AuditRecord, Dom0Channel } from "./channel/dom0_channel.ts";
import { MAX_ELEVATED_MINUTES } from "./server/limits.ts";
import type { Session, Sessions } from "./server/sessions.ts";

export interface ElevatedMode {
  /** The record first: a mode that nobody can read of later does not begin. @throws {Dom0Error} */
  begin(session: Session, minutes: number): Promise<void>;
  /** At once; on record as soon as the daemon takes it. */
  end(session: Session, why: string): Promise<void>;
  /** What is on ends, on record if the daemon takes that at once. */
  close(): Promise<void>;
}

export interface ElevatedParts {
  readonly channel: Pick<Dom0Channel, "note" | "records" | "watch">;
  readonly sessions: Sessions;
  readonly clock: Pick<Clock, "dateMs" | "every">;
  readonly changed: () => void;
}

const LOOK_MS = 1_000;
const MINUTE_MS = 60_000;
/** A stop of the service is to be quick; what is not on record by then the next start adds. */
const CLOSE_MS = 500;
const MOST_RECORDS = 200;
const BEGAN = "began elevated mode";
const ENDED = "ended elevated mode";

export function createElevatedMode(parts: ElevatedParts): ElevatedMode {
  const { channel, sessions, clock, changed } = parts;
  /** Those whose end is not on record; with the reason, if it has come. */
  const open = new Map<Session, string | null>();
  let hasLooked = false;
  let endLooking: (() => void) | null = null;
  const lookBack = async (): Promise<void> => {
    if (hasLooked) return;
    for (const by of await unended(channel, clock.dateMs())) {
      await channel.note(`${ENDED}: the web admin was started again`, by);
    }
    hasLooked = true;
  };
  const settle = serialised(async () => {
    await lookBack();
    const there = sessions.all();
    for (const [session, why] of open) {
      const reason = why ?? reasonNow(session, there, clock.dateMs());
      if (reason === null) continue;
      session.elevatedUntilMs = 0;
      open.set(session, reason);
      await channel.note(`${ENDED}: ${reason}`, `web ${session.name}`);
      open.delete(session);
      changed();
    }
    if (open.size > 0) return;
    endLooking?.();
    endLooking = null;
  }, () => {}); // with no daemon it is tried again
  const look = (): void => void settle();
  const unwatch = channel.watch(() => {
    if (!hasLooked) look();
  });
  look();
  return {
    async begin(session, minutes) {
      await lookBack();
      await channel.note(`${BEGAN} for ${minutes} minutes`, `web ${session.name}`);
      session.elevatedUntilMs = clock.dateMs() + minutes * MINUTE_MS;
      open.set(session, null);
      endLooking ??= clock.every(LOOK_MS, look);
    },
    async end(session, why) {
      session.elevatedUntilMs = 0;
      if (!open.has(session)) return;
      open.set(session, why);
      await settle();
    },
    async close() {
      unwatch();
      endLooking?.();
      for (const session of open.keys()) open.set(session, "the web admin was stopped");
      if (open.size > 0) await within(CLOSE_MS, settle());
    },
  };
}

/** null: it goes on. */
function reasonNow(
  session: Session,
  there: readonly Session[],
  nowMs: number,
): string | null {
  if (!there.includes(session)) return "its session is over";
  return session.elevatedUntilMs <= nowMs ? "its time was over" : null;
}

/** By whom it was begun and never ended, as the record says. */
async function unended(
  channel: Pick<Dom0Channel, "records">,
  nowMs: number,
): Promise<readonly string[]> {
  const { records } = await channel.records({
    vm: null,
    failedOnly: false,
    text: "elevated mode",
    // Two of the longest: what began before that has an end by now, or never will.
    sinceMs: nowMs - 2 * MAX_ELEVATED_MINUTES * MINUTE_MS,
    before: null,
    limit: MOST_RECORDS,
  });
  const open = new Set<string>();
  for (const record of records.toReversed()) {
    const by = String(record.fields["by"]);
    if (actionOf(record).startsWith(BEGAN)) open.add(by);
    else if (actionOf(record).startsWith(ENDED)) open.delete(by);
  }
  return [...open];
}

function actionOf({ event, fields }: AuditRecord): string {
  return event === "operator" ? String(fields["action"]) : "";
}

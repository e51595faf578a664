// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Waits for one answer, and ends the wait in an orderly way:
 *
 *     waiting --answer--------------------------------------> answered
 *        | time is up, a signal, or nobody reads the output
 *        +-- dom0 never took it: take it back --------------> withdrawn
 *        +-- else cancel, wait a little --answer------------> answered
 *                                      \--none, or a signal-> no-answer
 *
 * A person in dom0 has no time limit here: the time for the answer starts again once that person has
 * approved.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { spanMs } from "../../../shared/io/clock.ts";
import type { RequestId } from "../../../shared/protocol/request_id.ts";
import type { Bell } from "./bell.ts";
import { readConnection } from "../files/connection.ts";
import type { Exchange } from "./exchange.ts";
import {
  type FolderWatch,
  UNRELIABLE_AFTER,
  watchFolders,
} from "../../../shared/io/folder_watch.ts";
import type { Follower } from "./follower.ts";
import type { Interrupts } from "./interrupts.ts";
import { findPart } from "../files/archive.ts";
import { type Layout, parkedPath, prepareFolders, resultPath, sentPath } from "../files/layout.ts";
import { isPlain } from "../files/plain_file.ts";
import { ifPresentSync, isPresent } from "../../../shared/io/sync_files.ts";

/** How long a cancelled command may take to end: TERM, then KILL, in dom0. */
export const CANCEL_GRACE_MS = 5_000;
/** While output streams, each piece of it is a change: after so many in a row, a look now and then will do. */
const BUSY_LOOKS = 32;
const BUSY_LOOK_MS = 4;
/** The watch reports every change; this is in case it does not. */
const RECHECK_MS = 3_000;

export type StopCause =
  | "deadline"
  | "interrupt"
  | "broken-pipe"
  | "write-failed"
  /** What is piped in cannot be read, or not be kept here. */
  | "input-failed"
  /** dom0 did not connect in time. */
  | "not-connected";

export interface WaitEnd {
  readonly kind: "answered" | "withdrawn" | "no-answer";
  /** Why the wait was cut short; null if it was not. */
  readonly cause: StopCause | null;
}

export interface WaitPorts {
  readonly layout: Layout;
  /** Rung when something other than a file has changed. */
  readonly bell: Bell;
  readonly interrupts: Interrupts;
  readonly followers: readonly Follower[];
  /** Why output or input cannot be passed on; null while they can. */
  readonly passingFailure: () => StopCause | null;
  /** Called now and then while nothing happens, with the time since the request was sent, parked or
   * approved. */
  readonly onWaiting: (waitedMs: number, isParked: boolean) => void;
  /** Called when a person in dom0 has to decide, and again when the request runs. */
  readonly onParked: (isParked: boolean) => void;
  /** Called with how much of its payload is on its way, in bytes. */
  readonly onSent: (bytes: number) => void;
  readonly onPublished: () => void;
}

export interface WaitTimes {
  /** For the answer, not counting how long a person in dom0 takes. */
  readonly answerMs: number;
  /** For dom0 to connect, if the request is not taken. */
  readonly connectMs: number;
}

/** Publishes the request and waits. The watch is set up before, so no change is missed. */
export async function publishAndWait(
  exchange: Exchange,
  times: WaitTimes,
  ports: WaitPorts,
): Promise<WaitEnd> {
  const { bell } = ports;
  ports.interrupts.listen(bell.ring);
  const watch = await watchResults(ports.layout, exchange.id, bell.ring);
  using _owned = await exchange.publish();
  ports.onPublished();
  try {
    return await wait(exchange, times, ports);
  } finally {
    watch.close();
  }
}

async function wait(
  exchange: Exchange,
  { answerMs, connectMs }: WaitTimes,
  { layout, bell, interrupts, followers, passingFailure, onWaiting, onParked, onSent }: WaitPorts,
): Promise<WaitEnd> {
  let sinceMs = spanMs();
  let connectByMs = sinceMs + connectMs;
  let isParked = false;
  let sent = 0;
  let looks = 0; // in a row
  let stop: { readonly cause: StopCause; readonly untilMs: number } | null = null;
  for (;;) {
    if (isWhole(layout, exchange.id)) return { kind: "answered", cause: stop?.cause ?? null };
    for (const follower of followers) follower.poke();
    const nowMs = spanMs();
    if (isParked !== isPresent(parkedPath(layout, exchange.id))) {
      isParked = !isParked;
      sinceMs = nowMs;
      onParked(isParked);
    }
    const sentNow = readSent(layout, exchange.id);
    if (sentNow !== sent) { // its time counts from when dom0 has all of it
      sent = sentNow;
      sinceMs = nowMs;
      onSent(sent);
    }
    const deadlineMs = isParked ? Infinity : sinceMs + answerMs;
    if (stop === null) {
      const cause = interrupts.count() > 0
        ? "interrupt"
        : passingFailure() ?? (nowMs >= deadlineMs ? "deadline" : null);
      if (cause !== null) {
        if (exchange.withdraw()) return { kind: "withdrawn", cause };
        if (!exchange.canCancel) return { kind: "no-answer", cause };
        exchange.cancel();
        stop = { cause, untilMs: nowMs + CANCEL_GRACE_MS };
      }
    } else if (nowMs >= stop.untilMs || interrupts.count() > (stop.cause === "interrupt" ? 1 : 0)) {
      return { kind: "no-answer", cause: stop.cause };
    }
    if (stop === null && nowMs >= connectByMs) {
      const isIdle = exchange.isPending() && (await readConnection(layout)).kind === "none";
      if (isIdle && exchange.withdraw()) return { kind: "withdrawn", cause: "not-connected" };
      connectByMs = nowMs + connectMs;
    }
    onWaiting(nowMs - sinceMs, isParked);
    const nextMs = Math.min(stop?.untilMs ?? deadlineMs, connectByMs);
    await bell.wait(Math.max(1, Math.min(RECHECK_MS, nextMs - nowMs)));
    looks = spanMs() - nowMs < BUSY_LOOK_MS ? looks + 1 : 0;
    if (looks > BUSY_LOOKS) await delay(BUSY_LOOK_MS);
  }
}

/** Calls back when the request's files change, and when the watch may have missed a change. */
async function watchResults(
  layout: Layout,
  id: RequestId,
  onChange: () => void,
): Promise<FolderWatch> {
  const parts = ["out", "err", "exit"] as const;
  const watched: ReadonlySet<string> = new Set([
    ...parts.map((part) => resultPath(layout, id, part)),
    parkedPath(layout, id),
    sentPath(layout, id),
  ]);
  let others = 0;
  const watch = () =>
    watchFolders([layout.results], ({ paths, kind }) => {
      const isNews = kind === "unknown" || paths.some((path) => watched.has(path));
      if (!isNews && ++others < UNRELIABLE_AFTER) return;
      others = 0;
      onChange();
    });
  try {
    return watch();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    await prepareFolders(layout); // the first request ever
    return watch();
  }
}

/** 0: nothing is said of it. */
function readSent(layout: Layout, id: RequestId): number {
  const bytes = ifPresentSync(() => Deno.readFileSync(sentPath(layout, id)));
  return bytes === undefined ? 0 : Number(new TextDecoder().decode(bytes)) || 0;
}

/** Protocol 1 makes "exit" before it writes into it. */
function isWhole(layout: Layout, id: RequestId): boolean {
  const size = (path: string) =>
    isPlain(path) ? ifPresentSync(() => Deno.lstatSync(path))?.size : undefined;
  return (findPart(layout, id, "exit", size) ?? 0) > 0;
}

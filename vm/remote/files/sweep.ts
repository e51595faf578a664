// SPDX-License-Identifier: GPL-2.0-or-later
/** Tidying at the start of a session: answers that no client will fetch, and old history. @module */

import { dateMs } from "../../../shared/io/clock.ts";
import { ifPresent } from "../../../shared/io/files.ts";
import { type RequestId, requestIdTimeMs } from "../../../shared/protocol/request_id.ts";
import { archiveAnswer } from "./archive.ts";
import { type Layout, resultPath } from "./layout.ts";
import { attempt, attemptAsync } from "./local_failure.ts";
import { idOfName } from "./queue_entry.ts";

/** Answers that no client took in this time go to the history. */
export const ORPHAN_AGE_MS = 3600_000;
const DAY_MS = 24 * 3600_000;
/** Days of history kept. */
export const HISTORY_DAYS = 30;

/** @param note told what could not be moved, and why; the rest goes on */
export async function sweep(
  layout: Layout,
  note: (text: string) => void,
  nowMs = dateMs(),
): Promise<void> {
  await archiveAnswers(layout, nowMs - ORPHAN_AGE_MS, note);
  for (const prune of [pruneHistory, pruneDetached]) {
    const why = await attemptAsync(() => prune(layout, nowMs, note));
    if (why !== null) note(why);
  }
}

/** Moves whole answers that are older into the history. @returns how many */
export async function archiveAnswers(
  layout: Layout,
  beforeMs: number,
  note: (text: string) => void = () => {},
): Promise<number> {
  let count = 0;
  for await (const { name } of Deno.readDir(layout.results)) {
    const id = idOfAnswer(name);
    if (id === undefined) continue;
    const info = await ifPresent(Deno.lstat(resultPath(layout, id, "exit")));
    if (info === undefined || (info.mtime?.getTime() ?? 0) > beforeMs) continue;
    const why = attempt(() => archiveAnswer(layout, id, null));
    if (why === null) count++;
    else note(`id=${id} ${why}`);
  }
  return count;
}

/** The id of a whole answer, given the name of its last file. */
export function idOfAnswer(untrustedName: string): RequestId | undefined {
  return untrustedName.endsWith(".exit")
    ? idOfName(untrustedName.slice(0, -".exit".length))
    : undefined;
}

async function pruneHistory(
  { history }: Layout,
  nowMs: number,
  note: (text: string) => void,
): Promise<void> {
  const oldest = new Date(nowMs - HISTORY_DAYS * DAY_MS).toISOString().slice(0, 10);
  const days = await ifPresent(Array.fromAsync(Deno.readDir(history)));
  for (const { name, isDirectory } of days ?? []) {
    if (!isDirectory || !/^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(name) || name >= oldest) continue;
    const remove = () => ifPresent(Deno.remove(`${history}/${name}`, { recursive: true }));
    const why = await attemptAsync(remove);
    if (why !== null) note(why);
  }
}

/** An answer that leaves the history can no longer be fetched. */
async function pruneDetached(
  { detached }: Layout,
  nowMs: number,
  note: (text: string) => void,
): Promise<void> {
  const oldestMs = nowMs - (HISTORY_DAYS + 1) * DAY_MS;
  const files = await ifPresent(Array.fromAsync(Deno.readDir(detached)));
  for (const { name } of files ?? []) {
    const id = idOfName(name);
    if (id === undefined || requestIdTimeMs(id) >= oldestMs) continue;
    const why = await attemptAsync(() => ifPresent(Deno.remove(`${detached}/${name}`)));
    if (why !== null) note(why);
  }
}

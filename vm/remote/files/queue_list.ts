// SPDX-License-Identifier: GPL-2.0-or-later
/** What lies in the queue, counted and listed. Nothing is opened but a request's own lock. @module */

import { dateMs } from "../../../shared/io/clock.ts";
import { isLocked } from "../../../shared/io/file_lock.ts";
import { ifPresent } from "../../../shared/io/files.ts";
import { QUEUE_FOLDERS, type QueueFolder } from "../../../shared/protocol/message.ts";
import type { RequestId } from "../../../shared/protocol/request_id.ts";
import { detachedPath, type Layout } from "./layout.ts";
import { attemptAsync } from "./local_failure.ts";
import { isPresent } from "../../../shared/io/sync_files.ts";
import { idOfCompanion, idOfName } from "./queue_entry.ts";
import { idOfAnswer } from "./sweep.ts";

export interface QueueCounts {
  readonly pending: number;
  readonly running: number;
  /** Whole answers that nobody has taken. */
  readonly results: number;
}

export async function countQueue(layout: Layout): Promise<QueueCounts> {
  const count = async (folder: string, counts: (name: string) => boolean): Promise<number> => {
    let total = 0;
    for (const name of await namesIn(folder)) if (counts(name)) total++;
    return total;
  };
  return {
    pending: await count(layout.pending, (name) => idOfCompanion(name) === undefined),
    running: await count(layout.running, (name) => idOfCompanion(name) === undefined),
    results: await count(layout.results, (name) => idOfAnswer(name) !== undefined),
  };
}

export interface ListedEntry {
  readonly folder: QueueFolder;
  readonly untrustedName: string;
  readonly bytes: number;
  readonly ageSeconds: number;
  /** Whether a living client waits for it; null where that cannot be told. */
  readonly owned: boolean | null;
}

/** The first entries of each folder by name. @param maxEntries over all folders */
export async function listQueue(
  layout: Layout,
  maxEntries: number,
  nowMs = dateMs(),
): Promise<readonly ListedEntry[]> {
  const entries: ListedEntry[] = [];
  for (const folder of QUEUE_FOLDERS) {
    const names = (await namesIn(layout[folder])).sort();
    for (const untrustedName of names.slice(0, maxEntries - entries.length)) {
      const path = `${layout[folder]}/${untrustedName}`;
      const info = await ifPresent(Deno.lstat(path));
      if (info === undefined) continue;
      const id = folder === "pending" || folder === "running" ? idOfName(untrustedName) : undefined;
      entries.push({
        folder,
        untrustedName,
        bytes: info.size,
        ageSeconds: Math.max(0, Math.round((nowMs - (info.mtime?.getTime() ?? nowMs)) / 1000)),
        owned: id === undefined || !info.isFile ? null : await hasOwner(layout, path, id, nowMs),
      });
    }
  }
  return entries;
}

/** The original's clients hold no lock: their entries count as abandoned after an hour. */
const V1_OWNER_MS = 3600_000;

/** Whether somebody waits for this request, or means to fetch its answer later. The path must be that of a regular file. */
export async function hasOwner(
  layout: Layout,
  path: string,
  id: RequestId,
  nowMs = dateMs(),
): Promise<boolean> {
  if (isPresent(detachedPath(layout, id))) return true;
  let locked: boolean | undefined; // one that cannot be opened is no client's of ours
  await attemptAsync(async () => locked = await isLocked(path));
  if (locked === true) return true;
  const companions = ["auth", "cmd"].map((suffix) => `${layout.pending}/${id}.${suffix}`);
  if (![...companions, `${layout.running}/${id}.auth`].some(isPresent)) return false;
  const info = await ifPresent(Deno.lstat(path));
  return info !== undefined && nowMs - (info.mtime?.getTime() ?? 0) < V1_OWNER_MS;
}

/** Names that are not UTF-8 are left out by Deno 2.4, and come garbled from Deno 2.9. */
export async function namesIn(folder: string): Promise<string[]> {
  const entries = await ifPresent(Array.fromAsync(Deno.readDir(folder)));
  return (entries ?? []).map(({ name }) => name);
}

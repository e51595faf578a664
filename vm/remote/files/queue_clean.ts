// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Tidies the queue: requests that nobody waits for, answers that nobody took, files that do not belong.
 * Requests of a live client stay, and so does whatever dom0 may be running.
 *
 * @module
 */

import { dateMs } from "../../../shared/io/clock.ts";
import { isLocked } from "../../../shared/io/file_lock.ts";
import { ifPresent } from "../../../shared/io/files.ts";
import type { Layout } from "./layout.ts";
import { attempt, attemptAsync } from "./local_failure.ts";
import { lockWithin } from "./lock.ts";
import { isPresent } from "../../../shared/io/sync_files.ts";
import { idOfCompanion, idOfName, readQueueEntry } from "./queue_entry.ts";
import { hasOwner, namesIn } from "./queue_list.ts";
import { answerLocally, forgetRequest } from "./result_files.ts";
import { archiveAnswers, idOfAnswer } from "./sweep.ts";
import { V1_NONCE } from "../../../shared/protocol/v1.ts";

/** An answer this young is about to be taken; a file this young about to be renamed. */
const YOUNG_MS = 60_000;
/** Whether a lock is held shows in far less. */
const LOCK_PROBE_MS = 200;
/** Locks looked at side by side: each that is held takes a moment and a thread. */
const BATCH = 64;

export interface CleanReport {
  /** Entries that were removed. */
  readonly removed: number;
  /** Answers that went to the history. */
  readonly archived: number;
}

export async function cleanQueue(layout: Layout, nowMs = dateMs()): Promise<CleanReport> {
  const archived = await archiveAnswers(layout, nowMs - YOUNG_MS);
  const removed = await cleanFolder(layout.pending, (name) => isStalePending(layout, name, nowMs)) +
    await cleanFolder(layout.cancel, (name) => Promise.resolve(!isOpen(layout, name))) +
    await cleanFolder(layout.results, (name) => isStaleResult(layout, name, nowMs)) +
    await cleanFolder(layout.payloads, (name) => isStalePayload(layout, name, nowMs)) +
    await cleanFolder(layout.refused, () => Promise.resolve(true)) +
    await cleanFolder(layout.queue, (name) => isStaleTemporary(layout, name, nowMs));
  return { removed, archived };
}

/**
 * Answers requests as interrupted if no session serves the queue.
 *
 * @returns how many; null if a session serves the queue, and dom0 will answer
 */
export async function recoverQueue(layout: Layout): Promise<number | null> {
  using lock = await lockWithin(layout.lock, LOCK_PROBE_MS);
  if (lock === null) return null;
  let recovered = 0;
  for (const name of await namesIn(layout.running)) {
    const id = idOfName(name);
    if (id === undefined) continue;
    const entry = readQueueEntry(`${layout.running}/${name}`, id);
    const nonce = entry.kind === "envelope" ? entry.nonce : V1_NONCE;
    const text = "command recovered (manual queue recover)\n";
    const why = attempt(() => {
      answerLocally(layout, id, nonce, { kind: "interrupted", reason: null }, text);
      forgetRequest(layout, id);
    });
    if (why === null) recovered++;
  }
  return recovered;
}

async function cleanFolder(
  folder: string,
  isStale: (name: string) => Promise<boolean>,
): Promise<number> {
  let removed = 0;
  const names = await namesIn(folder);
  for (let at = 0; at < names.length; at += BATCH) {
    await Promise.all(
      names.slice(at, at + BATCH).map(async (name) => {
        if (!await isStale(name)) return;
        // NotFound: a name that is not UTF-8, or somebody was faster
        const why = await attemptAsync(() => Deno.remove(`${folder}/${name}`, { recursive: true }));
        if (why === null) removed++;
      }),
    );
  }
  return removed;
}

async function isStalePending(layout: Layout, name: string, nowMs: number): Promise<boolean> {
  const owner = idOfCompanion(name);
  if (owner !== undefined) return !isOpen(layout, owner);
  const id = idOfName(name);
  const path = `${layout.pending}/${name}`;
  const info = await ifPresent(Deno.lstat(path));
  if (id === undefined || info === undefined || !info.isFile) return true;
  return !await hasOwner(layout, path, id, nowMs);
}

/** Whether a request of that name waits or runs. */
function isOpen(layout: Layout, name: string): boolean {
  return isPresent(`${layout.pending}/${name}`) || isPresent(`${layout.running}/${name}`);
}

async function isStaleResult(layout: Layout, name: string, nowMs: number): Promise<boolean> {
  if (idOfAnswer(name) !== undefined) return false; // young, or it would be in the history
  const base = name.slice(0, Math.max(0, name.lastIndexOf(".")));
  if (isOpen(layout, base) || isPresent(`${layout.results}/${base}.exit`)) return false;
  return !await isYoung(`${layout.results}/${name}`, nowMs);
}

/** A client puts it there just before its request. */
async function isStalePayload(layout: Layout, name: string, nowMs: number): Promise<boolean> {
  return !isOpen(layout, name) && !await isYoung(`${layout.payloads}/${name}`, nowMs);
}

async function isStaleTemporary(layout: Layout, name: string, nowMs: number): Promise<boolean> {
  const path = `${layout.queue}/${name}`;
  if (path === layout.lock || path === layout.connected || FOLDERS.has(name)) return false;
  const info = await ifPresent(Deno.lstat(path));
  if (info?.isFile && await isLocked(path)) return false;
  return !await isYoung(path, nowMs);
}

const FOLDERS: ReadonlySet<string> = new Set([
  "pending",
  "running",
  "results",
  "cancel",
  "refused",
  "payloads",
]);

async function isYoung(path: string, nowMs: number): Promise<boolean> {
  const info = await ifPresent(Deno.lstat(path));
  return info !== undefined && nowMs - (info.mtime?.getTime() ?? 0) < YOUNG_MS;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Which programs are still alive: a program that owns something holds an exclusive flock on a file, and
 * the kernel releases it when the program ends, in whatever way. (Deno lets no restricted program look
 * at /proc, so a process number would say nothing, and numbers are reused.)
 *
 * @module
 */

import { ifPresent } from "./files.ts";
import { within } from "./timing.ts";

/** Before 2.5, Deno can wait for a lock but not try to get one; a free lock is granted at once. */
const TRY_MS = 150;

/** Whether Deno can try for a lock without waiting for it. */
export function canTryLock(): boolean {
  return "tryLock" in Deno.FsFile.prototype;
}

/** @returns whether this process has it now; if not, the file may still be waited for */
export async function tryLock(file: Deno.FsFile): Promise<boolean> {
  const { tryLock } = file as { tryLock?: (exclusive: boolean) => Promise<boolean> };
  return tryLock === undefined
    ? await within(TRY_MS, file.lock(true))
    : await tryLock.call(file, true);
}

/**
 * Gives a lock back and closes the file. Closing alone is not enough while the program lives: a process
 * that it starts in this moment holds the file, and with it the lock, until it has become its program.
 */
export function releaseLock(file: Deno.FsFile): void {
  try {
    file.unlockSync();
  } finally {
    file.close();
  }
}

/** Whether a living program holds the file. @returns undefined if there is no such file */
export async function isLocked(path: string): Promise<boolean | undefined> {
  const file = await ifPresent(Deno.open(path, { read: true }));
  if (file === undefined) return undefined;
  if (!await tryLock(file)) return true; // left open: a lock may still be waited for
  releaseLock(file);
  return false;
}

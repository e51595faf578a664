// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Who still lives: a program that owns something holds an exclusive flock on a file, and the
 * kernel lets go of it when the program ends, however it ends. (Deno gives a restricted program
 * no look at /proc, so a process number says nothing; and it would be used again some day.)
 *
 * @module
 */

import { ifPresent } from "./files.ts";
import { within } from "./timing.ts";

/** Before 2.5 Deno can wait for a lock but not try for one; a lock that is free is had at once. */
const TRY_MS = 150;

/** Whether a lock that is not free can be left alone; else asking for it is waiting for it. */
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

/** Whether a living program holds the file. @returns undefined if there is no such file */
export async function isLocked(path: string): Promise<boolean | undefined> {
  const file = await ifPresent(Deno.open(path, { read: true }));
  if (file === undefined) return undefined;
  if (!await tryLock(file)) return true; // left open: a lock may still be waited for
  file.close();
  return false;
}

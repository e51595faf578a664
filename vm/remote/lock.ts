// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Who still lives: a program that owns something holds an exclusive flock on a file, and the
 * kernel lets go of it when the program ends, however it ends. (Deno gives a restricted program
 * no look at /proc, so a process number says nothing; and it would be used again some day.)
 *
 * @module
 */

import { ifPresent, PRIVATE_FILE } from "../../shared/io/files.ts";
import { after } from "./timer.ts";

/**
 * Takes the lock of a file, making the file if need be; null if somebody else keeps it for
 * longer than the wait. A wait that was given up stays in a thread until the program ends.
 */
export async function lockWithin(path: string, waitMs: number): Promise<Deno.FsFile | null> {
  return await tryLock(
    await Deno.open(path, { write: true, create: true, mode: PRIVATE_FILE }),
    waitMs,
  );
}

/** Long enough for a free lock on a busy machine. */
const PROBE_MS = 50;

/** Whether a living program holds the file. @returns undefined if there is no such file */
export async function isHeld(path: string): Promise<boolean | undefined> {
  const file = await ifPresent(Deno.open(path, { read: true }));
  if (file === undefined) return undefined;
  const locked = await tryLock(file, PROBE_MS);
  locked?.close();
  return locked === null;
}

async function tryLock(file: Deno.FsFile, waitMs: number): Promise<Deno.FsFile | null> {
  const late = Promise.withResolvers<null>();
  const stop = after(waitMs, () => late.resolve(null));
  try {
    return await Promise.race([file.lock(true).then(() => file), late.promise]);
  } finally {
    stop();
  }
}

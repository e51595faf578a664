// SPDX-License-Identifier: GPL-2.0-or-later
/** Waiting for a lock; see shared/io/file_lock.ts for what a lock means. @module */

import { PRIVATE_FILE } from "../../../shared/io/private_modes.ts";
import { after } from "./timer.ts";

/**
 * Takes the lock of a file, making the file if need be; null if somebody else keeps it for
 * longer than the wait. A wait that was given up stays in a thread until the program ends.
 */
export async function lockWithin(path: string, waitMs: number): Promise<Deno.FsFile | null> {
  const file = await Deno.open(path, { write: true, create: true, mode: PRIVATE_FILE });
  const late = Promise.withResolvers<null>();
  const stop = after(waitMs, () => late.resolve(null));
  try {
    return await Promise.race([file.lock(true).then(() => file), late.promise]);
  } finally {
    stop();
  }
}

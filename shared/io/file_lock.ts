// SPDX-License-Identifier: GPL-2.0-or-later
/** Trying for a lock that the kernel lets go of when its process ends. @module */

import { within } from "./timing.ts";

/** Before 2.5 Deno can wait for a lock but not try for one; a lock that is free is had at once. */
const TRY_MS = 150;

/** @returns whether this process has it now; if not, the file may still be waited for */
export async function tryLock(file: Deno.FsFile): Promise<boolean> {
  const { tryLock } = file as { tryLock?: (exclusive: boolean) => Promise<boolean> };
  return tryLock === undefined
    ? await within(TRY_MS, file.lock(true))
    : await tryLock.call(file, true);
}

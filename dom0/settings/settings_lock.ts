// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A right to send commands is three files: the key, the list of VMs, the policy. Who changes them and
 * who reads them take turns, so that the daemon never sees a half of it and puts that on record as
 * a problem.
 *
 * @module
 */

import { releaseLock } from "../../shared/io/file_lock.ts";
import { ifPresent } from "../../shared/io/files.ts";
import { within } from "../../shared/io/timing.ts";

/** A change takes some milliseconds. A process that hangs must not keep a revocation from working. */
const TURN_LIMIT_MS = 2_000;

/** @param folder is locked meanwhile; where it does not exist, there is nothing to be read either */
export async function inTurn<T>(folder: string, run: () => Promise<T>): Promise<T> {
  const file = await ifPresent(Deno.open(folder, { read: true }));
  const locked = file?.lock(true) ?? Promise.resolve();
  await within(TURN_LIMIT_MS, locked);
  try {
    return await run();
  } finally {
    locked.finally(() => file !== undefined && releaseLock(file));
  }
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * One daemon at a time: a lock that the kernel lets go of when the process ends. The folder with
 * the state itself is locked, not a file beside it: systemd removes /run/qvm-remote with the unit,
 * and a file can be taken away while it is locked; then a second daemon would find it free, with
 * the same ledger.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { tryLock } from "../../shared/io/file_lock.ts";
import { UserError } from "../../shared/cli/program.ts";

/** A command that only checks whether a daemon runs holds the lock for a moment. */
const TRIES = 10;
const BETWEEN_TRIES_MS = 50;

/** @returns null if another process holds it */
export async function tryInstanceLock(stateFolder: string): Promise<Deno.FsFile | null> {
  const folder = await Deno.open(stateFolder, { read: true });
  for (let tries = 1; tries <= TRIES; tries++) {
    if (await tryLock(folder)) return folder;
    await delay(BETWEEN_TRIES_MS);
  }
  return null;
}

/** @throws {UserError} if another process holds it */
export async function takeInstanceLock(stateFolder: string): Promise<Deno.FsFile> {
  const folder = await tryInstanceLock(stateFolder);
  if (folder !== null) return folder;
  throw new UserError("another qvm-remote-dom0 daemon is running", [
    'see "qvm-remote-dom0 status"',
  ]);
}

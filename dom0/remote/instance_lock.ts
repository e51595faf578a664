// SPDX-License-Identifier: GPL-2.0-or-later
/** One daemon at a time: a lock that the kernel lets go of when the process ends. @module */

import { UserError } from "../../shared/io/program.ts";
import { within } from "../../shared/io/timing.ts";

/** Before 2.5 Deno can wait for a lock but not try for one; a lock that is free is had at once. */
const TRY_MS = 150;

/** @throws {UserError} if another process holds it */
export async function takeInstanceLock(path: string): Promise<Deno.FsFile> {
  const file = await Deno.open(path, { write: true, create: true, mode: 0o600 });
  if (await tryLock(file)) return file;
  throw new UserError("another qvm-remote-dom0 daemon is running", [
    'see "qvm-remote-dom0 status"',
  ]);
}

/** Whether a process holds it now. */
export async function isLocked(path: string): Promise<boolean> {
  const file = await Deno.open(path, { write: true, create: true, mode: 0o600 });
  if (!await tryLock(file)) return true; // left open: a lock may still be waited for
  file.close();
  return false;
}

async function tryLock(file: Deno.FsFile): Promise<boolean> {
  const { tryLock } = file as { tryLock?: (exclusive: boolean) => Promise<boolean> };
  return tryLock === undefined
    ? await within(TRY_MS, file.lock(true))
    : await tryLock.call(file, true);
}

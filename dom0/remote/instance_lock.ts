// SPDX-License-Identifier: GPL-2.0-or-later
/** One daemon at a time: a lock that the kernel lets go of when the process ends. @module */

import { tryLock } from "../../shared/io/file_lock.ts";
import { UserError } from "../../shared/io/program.ts";

/** @throws {UserError} if another process holds it */
export async function takeInstanceLock(path: string): Promise<Deno.FsFile> {
  const file = await Deno.open(path, { write: true, create: true, mode: 0o600 });
  if (await tryLock(file)) return file;
  throw new UserError("another qvm-remote-dom0 daemon is running", [
    'see "qvm-remote-dom0 status"',
  ]);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** An error of the system is for the person at the terminal; it is not a bug of ours. @module */

import { isOsError, UserError } from "../../../shared/cli/program.ts";
import { printable } from "../../../shared/protocol/printable.ts";

const HINTS: ReadonlyMap<string, string> = new Map([
  ["ENOSPC", "the disk is full: make room in this VM's home"],
  ["EACCES", "the files in ~/.qvm-remote must belong to you"],
  ["EROFS", "the disk is read-only: look at the VM's kernel log"],
]);

/** @throws {UserError} if the work failed with an error of the operating system */
export async function namingOsErrors<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isOsError(error) || error.code === "EPIPE") throw error;
    const hint = HINTS.get(error.code);
    throw new UserError(printable(error.message, 200), hint === undefined ? [] : [hint]);
  }
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** A file that an operator's program holds locked for as long as it lives, or wants. @module */

import { releaseLock } from "../../shared/io/file_lock.ts";
import { PRIVATE_FILE } from "../../shared/io/private_modes.ts";
import { removeIfPresent } from "../../shared/io/sync_files.ts";
import { newOrderName } from "../orders/order_file.ts";

export interface Lease extends Disposable {
  readonly name: string;
}

export function leaseFile(folder: string, name: string): string {
  return `${folder}/${name}.lease`;
}

/** @throws {Deno.errors.NotFound} there is no such folder: no daemon takes orders there */
export function takeLease(folder: string): Lease {
  const name = newOrderName();
  const path = leaseFile(folder, name);
  const file = Deno.openSync(path, { write: true, createNew: true, mode: PRIVATE_FILE });
  file.lockSync(true); // free: nobody knows the name
  let isHeld = true;
  return {
    name,
    [Symbol.dispose]() {
      if (!isHeld) return;
      isHeld = false;
      removeIfPresent(path);
      releaseLock(file);
    },
  };
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** Names of VMs as they stand on the command line. @module */

import { UsageError } from "../../shared/cli/program.ts";
import { printable } from "../../shared/protocol/printable.ts";
import { ProtocolError } from "../../shared/protocol/refusal.ts";
import { parseVmName, type VmName } from "../../shared/protocol/vm_name.ts";

/** "none" is no netvm at all. */
export type NetvmChoice = VmName | "none";

export function optional<T>(text: string | undefined, parse: (text: string) => T): T | undefined {
  return text === undefined ? undefined : parse(text);
}

/** @throws {UsageError} */
export function vmName(what: string, text: string): VmName {
  try {
    return parseVmName(text);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new UsageError(`${what}: ${printable(text)} is not the name of a qube`, [
      "a name has 1 to 31 of A-Z a-z 0-9 _ . - and begins with a letter",
    ]);
  }
}

/** @throws {UsageError} */
export function netvmName(what: string, text: string): NetvmChoice {
  return text === "none" ? "none" : vmName(what, text);
}

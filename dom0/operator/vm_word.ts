// SPDX-License-Identifier: GPL-2.0-or-later
/** A VM's name as a person writes it. @module */

import { UserError } from "../../shared/cli/program.ts";
import { printable } from "../../shared/protocol/printable.ts";
import { ProtocolError } from "../../shared/protocol/refusal.ts";
import { parseVmName, type VmName } from "../../shared/protocol/vm_name.ts";

/** @throws {UserError} it is none */
export function vmFromWord(word: string): VmName {
  try {
    return parseVmName(word);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new UserError(`${printable(word)} is not the name of a qube`, [
      'see "qvm-ls" for the names there are',
    ]);
  }
}

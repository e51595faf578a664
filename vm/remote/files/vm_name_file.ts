// SPDX-License-Identifier: GPL-2.0-or-later
/** What dom0 calls this VM. Only dom0 knows it, so it is never guessed from the host name. @module */

import { ifPresent, readSmallText } from "../../../shared/io/files.ts";
import { UserError } from "../../../shared/cli/program.ts";
import { ProtocolError } from "../../../shared/protocol/refusal.ts";
import { MAX_VM_NAME_CHARS, parseVmName, type VmName } from "../../../shared/protocol/vm_name.ts";
import type { Layout } from "./layout.ts";

/** undefined until the daemon in dom0 has connected once. @throws {UserError} */
export async function readVmName({ name }: Layout): Promise<VmName | undefined> {
  const untrustedName = await ifPresent(readSmallText(name, MAX_VM_NAME_CHARS + 1));
  if (untrustedName === undefined) return undefined;
  try {
    return parseVmName(untrustedName.trim());
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new UserError(`${name} holds no qube name`, [
      `run "rm ${name}": it is written again when dom0 connects`,
    ]);
  }
}

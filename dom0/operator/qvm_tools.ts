// SPDX-License-Identifier: GPL-2.0-or-later
/** Questions to qubesd, through its own tools. Never on a hot path: each takes 100 ms. @module */

import { UserError } from "../../shared/io/program.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";

/** @throws {UserError} if there is no such VM */
export async function requireVm(vm: VmName): Promise<void> {
  let code: number;
  try {
    ({ code } = await new Deno.Command("qvm-check", {
      args: ["--quiet", "--", vm],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).output());
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return; // not a dom0 with qubesd: nothing to ask
    throw error;
  }
  if (code !== 0) {
    throw new UserError(`VM '${vm}' does not exist`, ['see "qvm-ls" for the names there are']);
  }
}

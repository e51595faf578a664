// SPDX-License-Identifier: GPL-2.0-or-later
/** Questions to qubesd, through its own tools. Never on a hot path: each takes 100 ms. @module */

import { UserError } from "../../shared/cli/program.ts";
import { AbsentProgram, runTool } from "../../shared/io/run_tool.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";

/** @throws {UserError} if there is no such VM */
export async function requireVm(vm: VmName): Promise<void> {
  if (await isMissing(vm)) {
    throw new UserError(`VM '${vm}' does not exist`, ['see "qvm-ls" for the names there are']);
  }
}

async function isMissing(vm: VmName): Promise<boolean> {
  try {
    const { code } = await runTool(["qvm-check", "--quiet", "--", vm], { isHeard: false });
    return code !== 0;
  } catch (error) {
    if (error instanceof AbsentProgram) return false; // not a dom0 with qubesd: nothing to ask
    throw error;
  }
}

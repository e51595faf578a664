// SPDX-License-Identifier: GPL-2.0-or-later
/** QubesDB, through its own program: the daemon speaks a protocol that Deno has no client for. @module */

import { UserError } from "../../shared/cli/program.ts";
import { AbsentProgram, runTool } from "../../shared/io/run_tool.ts";

/** @throws {UserError} where there is no QubesDB at all */
export async function readQubesDb(path: string): Promise<string | undefined> {
  try {
    const { code, stdout } = await runTool(["qubesdb-read", path]);
    return code === 0 ? stdout.trimEnd() : undefined;
  } catch (error) {
    if (!(error instanceof AbsentProgram)) throw error;
    throw new UserError("there is no qubesdb-read here", ["this has to run in a Qubes VM"]);
  }
}

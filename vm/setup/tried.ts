// SPDX-License-Identifier: GPL-2.0-or-later
/** Running a program that may not be there. @module */

import { AbsentProgram, type ToolEnd } from "../../shared/io/run_tool.ts";
import type { Tools } from "../../shared/setup/tools.ts";

/** undefined: there is no such program. */
export async function tried(
  tools: Tools,
  ...argv: [program: string, ...args: string[]]
): Promise<ToolEnd | undefined> {
  try {
    return await tools.run({ argv });
  } catch (error) {
    if (error instanceof AbsentProgram) return undefined;
    throw error;
  }
}

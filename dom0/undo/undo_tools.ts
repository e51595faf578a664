// SPDX-License-Identifier: GPL-2.0-or-later
/** The tools of Qubes as an undo runs them. @module */

import { AbsentProgram, LateProgram, runTool } from "../../shared/io/run_tool.ts";
import { printable } from "../../shared/protocol/printable.ts";
import { readOperation } from "../run/read_operation.ts";
import type { UndoTools } from "./run_undo.ts";

const SAID_CHARS = 200;
/** As a shell, and timeout(1), would say it. */
const [ABSENT, LATE] = [127, 124];

export const UNDO_TOOLS: UndoTools = {
  read: readOperation,
  async run([program = "", ...args], limitMs) {
    try {
      const { code, stdout, stderr } = await runTool([program, ...args], { limitMs });
      return { code, said: quoted(stderr.trimEnd().split("\n").at(-1) ?? ""), stdout };
    } catch (error) {
      if (!(error instanceof AbsentProgram || error instanceof LateProgram)) throw error;
      const code = error instanceof AbsentProgram ? ABSENT : LATE;
      return { code, said: quoted(error.message), stdout: "" };
    }
  },
};

function quoted(line: string): string {
  return line === "" ? "" : printable(line, SAID_CHARS);
}

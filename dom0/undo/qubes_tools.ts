// SPDX-License-Identifier: GPL-2.0-or-later
/** The tools of Qubes as an undo runs them: by argument vectors, without a shell. @module */

import { errorText } from "../../shared/io/program.ts";
import { printable } from "../../shared/protocol/printable.ts";
import { readOperation } from "../run/read_operation.ts";
import type { UndoTools } from "./run_undo.ts";

const SAID_CHARS = 200;

export const UNDO_TOOLS: UndoTools = {
  read: readOperation,
  run: runTool,
};

async function runTool(
  [program = "", ...args]: readonly string[],
  limitMs: number,
): Promise<{ readonly code: number; readonly said: string; readonly stdout: string }> {
  try {
    const { code, stdout, stderr } = await new Deno.Command(program, {
      args,
      stdin: "null",
      signal: AbortSignal.timeout(limitMs),
    })
      .output();
    const last = new TextDecoder().decode(stderr).trimEnd().split("\n").at(-1) ?? "";
    return {
      code,
      said: last === "" ? "" : printable(last, SAID_CHARS),
      stdout: new TextDecoder().decode(stdout),
    };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return { code: 127, said: printable(errorText(error), SAID_CHARS), stdout: "" };
  }
}

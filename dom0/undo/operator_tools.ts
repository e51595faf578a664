// SPDX-License-Identifier: GPL-2.0-or-later
/** The tools of Qubes, run by an operator's command: by argument vectors, without a shell. @module */

import { errorText } from "../../shared/io/program.ts";
import { printable } from "../../shared/protocol/printable.ts";
import { recogniseNamed } from "../operations/recognise.ts";
import type { UndoTools } from "./run_undo.ts";

const SAID_CHARS = 200;

export const OPERATOR_TOOLS: UndoTools = {
  async read(name, values) {
    const pairs = [...values].map(([key, value]) => `${key}=${value}`);
    const { operation, argvs: [argv = []] } = recogniseNamed(name, pairs);
    const { code, stdout, said } = await runTool(argv);
    if (code !== 0) throw new Error(`${name}: exit code ${code}: ${said}`);
    return operation.result.parse(stdout);
  },
  run: runTool,
};

async function runTool(
  [program = "", ...args]: readonly string[],
): Promise<{ readonly code: number; readonly said: string; readonly stdout: string }> {
  try {
    const { code, stdout, stderr } = await new Deno.Command(program, { args, stdin: "null" })
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

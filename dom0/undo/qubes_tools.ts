// SPDX-License-Identifier: GPL-2.0-or-later
/** The tools of Qubes as an undo runs them: by argument vectors, without a shell. @module */

import { errorText } from "../../shared/io/program.ts";
import { printable } from "../../shared/protocol/printable.ts";
import { recogniseNamed } from "../operations/recognise.ts";
import type { UndoTools } from "./run_undo.ts";

const SAID_CHARS = 200;
/** Those that only read answer in a second. */
const READ_LIMIT_MS = 20_000;

export const UNDO_TOOLS: UndoTools = {
  async read(name, values) {
    const pairs = [...values].map(([key, value]) => `${key}=${value}`);
    const { operation, argvs: [argv = []] } = recogniseNamed(name, pairs);
    const { code, stdout, said } = await runTool(argv, READ_LIMIT_MS);
    if (code !== 0) throw new Error(`${name}: exit code ${code}: ${said}`);
    return operation.result.parse(stdout);
  },
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

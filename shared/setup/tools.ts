// SPDX-License-Identifier: GPL-2.0-or-later
/** The programs that a setup runs: by words, without a shell, with a limit in time. @module */

import { UserError } from "../cli/program.ts";
import { AbsentProgram, type Argv, runTool, type ToolEnd } from "../io/run_tool.ts";
import { shellQuote } from "../protocol/command.ts";
import { printable } from "../protocol/printable.ts";

/** One command; `input` goes to its stdin. */
export interface Command {
  readonly argv: Argv;
  readonly input?: string;
}

export interface Tools {
  run(command: Command): Promise<ToolEnd>;
}

export interface RunLimits {
  readonly limitMs: number;
  /** False: its output is not even read. */
  readonly isHeard?: boolean;
  /** The next step where there is no such program. */
  readonly absentHint: string;
}

/** @throws {UserError} if there is no such program, or it does not end in time */
export async function runCommand(
  { argv, input }: Command,
  { absentHint, ...limits }: RunLimits,
): Promise<ToolEnd> {
  try {
    return await runTool(argv, input === undefined ? limits : { ...limits, input });
  } catch (error) {
    if (!(error instanceof AbsentProgram)) throw error;
    throw new AbsentProgram(error.message, [absentHint]);
  }
}

/** @throws {UserError} unless it ends with 0; the message has its stderr, or what its code means */
export async function runOrFail(
  tools: Tools,
  command: Command,
  meanings: ReadonlyMap<number, string> = new Map(),
): Promise<void> {
  const { code, stderr } = await tools.run(command);
  if (code === 0) return;
  const meaning = meanings.get(code);
  if (meaning !== undefined) throw new UserError(meaning);
  const said = stderr.trim() === "" ? "" : `: ${printable(stderr.trim(), 400)}`;
  throw new UserError(`"${shellQuote(command.argv)}" ended with ${code}${said}`);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** The programs that a setup runs: by words, without a shell, with a limit in time. @module */

import { UserError } from "../io/program.ts";
import { within } from "../io/timing.ts";
import { shellQuote } from "../protocol/command.ts";
import { printable } from "../protocol/printable.ts";

/** One command; `input` goes to its stdin. */
export interface Command {
  readonly argv: readonly [program: string, ...args: string[]];
  readonly input?: string;
}

export interface Answer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Tools {
  run(command: Command): Promise<Answer>;
}

export interface RunLimits {
  readonly limitMs: number;
  /** False: nothing that it says is even read. */
  readonly isHeard?: boolean;
  /** The next step where there is no such program. */
  readonly absentHint: string;
}

const NOTHING_HEARD = { stdout: new Uint8Array(), stderr: new Uint8Array() };

/** @throws {UserError} if there is no such program, or it does not end in time */
export async function runCommand(
  { argv: [program, ...args], input }: Command,
  { limitMs, isHeard = true, absentHint }: RunLimits,
): Promise<Answer> {
  const child = spawn(program, {
    args,
    stdin: input === undefined ? "null" : "piped",
    stdout: isHeard ? "piped" : "null",
    stderr: isHeard ? "piped" : "null",
  }, absentHint);
  const writing = input === undefined ? undefined : write(child, input);
  const ending = isHeard
    ? child.output()
    : child.status.then(({ code }) => ({ code, ...NOTHING_HEARD }));
  if (!await within(limitMs, ending)) {
    child.kill("SIGTERM");
    throw new UserError(`${program} did not end in ${limitMs / 60_000} minutes`);
  }
  await writing;
  const { code, stdout, stderr } = await ending;
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/** @throws {UserError} unless it ends with 0; says what it said, or what its code means */
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

/** There is no program of that name. */
export class AbsentProgram extends UserError {}

function spawn(program: string, options: Deno.CommandOptions, hint: string): Deno.ChildProcess {
  try {
    return new Deno.Command(program, options).spawn();
  } catch (error) {
    // Without such a program there is nothing to grant permission to.
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotCapable) {
      throw new AbsentProgram(`there is no ${program} here`, [hint]);
    }
    throw error;
  }
}

async function write(child: Deno.ChildProcess, input: string): Promise<void> {
  const writer = child.stdin.getWriter();
  try {
    await writer.write(new TextEncoder().encode(input));
    await writer.close();
  } catch {
    // It ended without reading all of it: its exit code says why.
  }
}

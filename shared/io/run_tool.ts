// SPDX-License-Identifier: GPL-2.0-or-later
/** Starts a program of the system and reads what it prints: by words, without a shell. @module */

import { UserError } from "../cli/program.ts";
import { within } from "./timing.ts";

export type Argv = readonly [program: string, ...args: string[]];

export interface ToolOptions {
  /** How long it may run; by default, without a limit. */
  readonly limitMs?: number;
  /** What it gets on stdin; by default nothing. */
  readonly input?: string;
  /** False: its output is not read, and both texts are empty. */
  readonly isHeard?: boolean;
}

export interface ToolEnd {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** There is no program of that name. */
export class AbsentProgram extends UserError {}

/** It did not end in time, and was told to. */
export class LateProgram extends UserError {}

/**
 * Finds it on PATH.
 *
 * @throws {AbsentProgram}
 * @throws {LateProgram} also if something it started still holds its output
 */
export async function runTool(
  [program, ...args]: Argv,
  { limitMs, input, isHeard = true }: ToolOptions = {},
): Promise<ToolEnd> {
  const child = spawn(program, {
    args,
    stdin: input === undefined ? "null" : "piped",
    stdout: isHeard ? "piped" : "null",
    stderr: isHeard ? "piped" : "null",
  });
  if (input !== undefined) void write(child, input);
  const ending = isHeard ? child.output() : unheard(child);
  if (limitMs !== undefined && !await within(limitMs, ending)) {
    stop(child);
    throw new LateProgram(`${program} did not end in ${durationText(limitMs)}`);
  }
  const { code, stdout, stderr } = await ending;
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

type Ended = Pick<Deno.CommandOutput, "code" | "stdout" | "stderr">;

async function unheard(child: Deno.ChildProcess): Promise<Ended> {
  const { code } = await child.status;
  return { code, stdout: new Uint8Array(), stderr: new Uint8Array() };
}

function spawn(program: string, options: Deno.CommandOptions): Deno.ChildProcess {
  try {
    return new Deno.Command(program, options).spawn();
  } catch (error) {
    // Without such a program there is nothing to grant permission to.
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotCapable) {
      throw new AbsentProgram(`there is no ${program} here`);
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

function stop(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGTERM");
  } catch {
    // It has ended, and what it started goes on.
  }
}

function durationText(ms: number): string {
  return ms >= 120_000 ? `${ms / 60_000} minutes` : `${ms / 1000} seconds`;
}

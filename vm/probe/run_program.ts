// SPDX-License-Identifier: GPL-2.0-or-later
/** Another program, run to its end: its words as a list, no shell, a deadline, a cap. @module */

import { basename } from "@std/path/posix/basename";
import { UserError } from "../../shared/cli/program.ts";
import { within } from "../../shared/io/timing.ts";
import { readCapped } from "./capped.ts";

export interface Ran {
  readonly code: number;
  readonly untrustedOut: string;
  readonly untrustedErr: string;
}

export type Run = (argv: readonly string[], timeoutMs: number) => Promise<Ran>;

const MAX_OUTPUT_BYTES = 8 * 1024 * 1024;

/** @throws {UserError} if it cannot be started, or takes too long */
export const runProgramToEnd: Run = async ([program = "", ...args], timeoutMs) => {
  const child = startProgram(program, args);
  const out = readCapped(child.stdout, MAX_OUTPUT_BYTES);
  const err = readCapped(child.stderr, MAX_OUTPUT_BYTES);
  // Its children may keep the pipes open after it: they count as it.
  const over = Promise.all([child.status, out, err]);
  over.catch(() => {});
  if (!await within(timeoutMs, over)) {
    try {
      child.kill("SIGKILL");
    } catch {
      // it has ended, and what it started holds the pipes
    }
    throw new UserError(`${nameOf(program)} took longer than ${timeoutMs / 1000} s`);
  }
  const text = new TextDecoder();
  return {
    code: (await child.status).code,
    untrustedOut: text.decode((await out).bytes),
    untrustedErr: text.decode((await err).bytes),
  };
};

/** @throws {UserError} if it cannot be started */
export function startProgram(program: string, args: readonly string[]): Deno.ChildProcess {
  try {
    return new Deno.Command(program, {
      args: [...args],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch (error) {
    const isAbsent = error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.NotCapable; // Deno allows no program that is not there
    if (isAbsent) throw new UserError(`${program} is not installed`);
    throw new UserError(`${program} cannot be started`);
  }
}

function nameOf(path: string): string {
  return basename(path);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** Running the tools of dom0: by words, without a shell, with a limit in time. @module */

import { within } from "../../shared/io/timing.ts";
import { UserError } from "../../shared/io/program.ts";
import { shellQuote } from "../../shared/protocol/command.ts";
import { printable } from "../../shared/protocol/printable.ts";
import type { Command } from "./fact.ts";

export interface Answer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Tools {
  run(command: Command): Promise<Answer>;
}

/** Copying the disk of a template takes minutes. */
const CREATE_LIMIT_MS = 60 * 60_000;
const LIMIT_MS = 5 * 60_000;

/** What qvm-run passes on are the words of a VM, of any length: they are not even read. */
const SPEAKS_FOR_VM = "qvm-run";

export const realTools: Tools = {
  async run({ argv: [program, ...args], input }) {
    const isHeard = program !== SPEAKS_FOR_VM;
    const child = spawn(program, {
      args,
      stdin: input === undefined ? "null" : "piped",
      stdout: isHeard ? "piped" : "null",
      stderr: isHeard ? "piped" : "null",
    });
    const writing = input === undefined ? undefined : write(child, input);
    const ending = isHeard
      ? child.output()
      : child.status.then(({ code }) => ({ code, ...NOTHING_HEARD }));
    const limitMs = program === "qvm-create" ? CREATE_LIMIT_MS : LIMIT_MS;
    if (!await within(limitMs, ending)) {
      child.kill("SIGTERM");
      throw new UserError(`${program} did not end in ${limitMs / 60_000} minutes`);
    }
    await writing;
    const { code, stdout, stderr } = await ending;
    const text = new TextDecoder();
    return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
  },
};

const NOTHING_HEARD = { stdout: new Uint8Array(), stderr: new Uint8Array() };

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

function spawn(program: string, options: Deno.CommandOptions): Deno.ChildProcess {
  try {
    return new Deno.Command(program, options).spawn();
  } catch (error) {
    // Without a program of that name there is none that the permission could be for.
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotCapable) {
      throw new UserError(`there is no ${program} here`, ["setup-dom0 runs in dom0 of Qubes OS"]);
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

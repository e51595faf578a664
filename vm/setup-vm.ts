// SPDX-License-Identifier: GPL-2.0-or-later
/** setup-vm: turns a VM into an agent VM or a key qube, and takes that back. @module */

import { readLine } from "../shared/cli/read_line.ts";
import { isOsError, runProgram, UserError, writeAll } from "../shared/cli/program.ts";
import { printable } from "../shared/protocol/printable.ts";
import { readQubesDb } from "./ports/qubes_db.ts";
import { runSetup } from "./setup/main.ts";
import { placesOf } from "./setup/places.ts";
import { realTools } from "./setup/real_tools.ts";

const PROGRAM = "setup-vm";

async function main(words: readonly string[]): Promise<number> {
  const root = Deno.env.get("QUBES_CLAW_ROOT") ?? "";
  const home = Deno.env.get("HOME") ?? "";
  if (!home.startsWith("/")) throw new UserError("HOME is not set", ["it says whose VM this is"]);
  const user = Deno.env.get("USER") || Deno.env.get("LOGNAME") || "user";
  if (!/^[a-z_][\w.-]{0,31}$/.test(user)) throw new UserError("USER is no user's name");
  try {
    return await runSetup({
      places: placesOf(root, home, user),
      tools: realTools,
      qubesDb: readQubesDb,
      isWrongUser: root === "" && Deno.uid() === 0 && !words.includes("--only-files"),
      print: (text) => writeAll(Deno.stdout, text),
      warn: (text) => writeAll(Deno.stderr, text),
      isTerminal: Deno.stdin.isTerminal(),
      ask,
    }, words);
  } catch (error) {
    throw refusedBySystem(error) ?? error;
  }
}

function ask(question: string): string | null {
  writeAll(Deno.stderr, question);
  return readLine();
}

const HINTS: ReadonlyMap<string, string> = new Map([
  ["ENOSPC", "the disk is full: make room in this VM's home"],
  ["EACCES", "the home and what is in it must belong to you"],
  ["EROFS", "the disk is read-only: look at the VM's kernel log"],
]);

/** An error of the system is for the person at the terminal; it is not a bug of ours. */
function refusedBySystem(error: unknown): UserError | undefined {
  if (!isOsError(error) || error.code === "EPIPE") return;
  const hint = HINTS.get(error.code);
  return new UserError(printable(error.message, 200).slice(1, -1), hint ? [hint] : []);
}

if (import.meta.main) Deno.exit(await runProgram(PROGRAM, () => main(Deno.args)));

// SPDX-License-Identifier: GPL-2.0-or-later
/** Starting the simulation's own programs, from here or by name from PATH. @module */
import type { WorldConfig } from "./world_config.ts";
import { writeExecutable } from "../executable.ts";

const FLAGS = ["run", "--quiet", "-A", "--no-config", "--no-lock", "--no-remote", "--no-npm"];

/** @returns the beginning of an argv that runs a program of this folder. */
export function denoRun(world: Pick<WorldConfig, "deno">, program: URL): string[] {
  return [world.deno, ...FLAGS, program.pathname];
}

/** Writes a program that can be found on PATH: it runs `argv`, then its own arguments. */
export function writeLauncher(
  path: string,
  denoDir: string,
  argv: readonly string[],
): void {
  const script = [
    "#!/bin/sh",
    "# Written by the simulation.",
    `DENO_DIR=${quote(denoDir)} DENO_NO_UPDATE_CHECK=1 exec ${argv.map(quote).join(" ")} "$@"`,
  ];
  writeExecutable(path, script.join("\n") + "\n");
}

/** Quotes a word for a POSIX shell. */
export function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

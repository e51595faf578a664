// SPDX-License-Identifier: GPL-2.0-or-later
/** The permission flags of each program, from the table of programs, where they stand once. @module */

import {
  denoFlags,
  type Program as TableProgram,
  PROGRAMS,
} from "../../shared/packaging/programs.ts";
import { CLEARED, inWorld, replaced } from "./launcher_text.ts";

export const PROJECT = new URL("../../", import.meta.url).pathname.replace(/\/$/, "");

const PRINT_LAUNCHER = `${PROJECT}/shared/packaging/print-launcher`;

/** A program's name, and for the one that there is in dom0 and in a VM, which of them. */
export type Program = string;

const keyOf = ({ name, side }: Pick<TableProgram, "name" | "side">): Program =>
  side === "vm" && PROGRAMS.some((other) => other.name === name && other.side === "dom0")
    ? `${name} in a VM`
    : name;

/** All of them. */
export const PROGRAM_KEYS: readonly Program[] = PROGRAMS.map(keyOf);

/** Where this Deno keeps packages; the programs of a world have another home. */
const CACHE = Deno.env.get("DENO_DIR") ??
  `${Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME")}/.cache`}/deno`;

/** The launcher of a program as it is installed, but that it starts the program's source. */
export function sourceLauncher(
  program: Program,
  source: string,
  more: readonly string[] = [],
): string {
  const [name = ""] = program.split(" ");
  const { stdout } = new Deno.Command("sh", {
    args: [PRINT_LAUNCHER, name, "/nowhere", "bundled", ...programFlags(program)],
    stderr: "inherit",
  }).outputSync();
  const text = inWorld(new TextDecoder().decode(stdout), more);
  // A bundle holds what it imports; a source finds it by the project's own configuration.
  const bundled = "--no-config --no-lock --no-remote --no-npm";
  const fromSource = replaced(
    text,
    bundled,
    `--config=${PROJECT}/deno.json --no-lock --cached-only`,
  );
  const unbundled = replaced(fromSource, CLEARED, `${CLEARED}    DENO_DIR="${CACHE}" \\\n`);
  const withDeno = replaced(unbundled, '"$lib/deno"', `"${Deno.execPath()}"`);
  return replaced(withDeno, `"$lib/${name}.js"`, `"${PROJECT}/${source}"`);
}

/** As the table has it. @throws {Error} if there is none: a test's slip */
export function tableProgram(program: Program): TableProgram {
  const found = PROGRAMS.find((one) => keyOf(one) === program);
  if (found === undefined) throw new Error(`shared/packaging/programs.ts has no ${program}`);
  return found;
}

/** @HOME@, @ROOT@, @RUNTIME@ and @CALLER@ stay as they are. */
export function programFlags(program: Program): readonly string[] {
  return denoFlags(tableProgram(program));
}

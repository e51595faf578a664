// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Launchers as they are installed, changed only so that they find what they start, and let through
 * what a simulated Qubes needs. @module
 */

import { isPresent } from "../../shared/io/sync_files.ts";
import { VM_MARK, WORLD_MARK } from "../sim/environment.ts";

/** What the simulation's programs, and the stand-ins of tests, go by. */
const WORLD_VARIABLES = [WORLD_MARK, VM_MARK, "QUBES_CLAW_ROOT", "DENO_DIR", "STAND_INS"];
/** How a launcher begins what it starts. */
export const CLEARED = "exec /usr/bin/env -i \\\n";

/** @param more names of variables that this test needs beside those of every world */
export function inWorld(launcher: string, more: readonly string[] = []): string {
  const lines = [...WORLD_VARIABLES, ...more].map((name) =>
    `    \${${name}+"${name}=$${name}"} \\\n`
  );
  return replaced(launcher, CLEARED, CLEARED + lines.join(""));
}

/**
 * What "make" built at `path`, for a library in the folder `lib`: what it starts is put there, with
 * the Deno that runs the tests.
 */
export function builtText(path: string, lib: string): string {
  const name = path.slice(path.lastIndexOf("/") + 1);
  Deno.mkdirSync(lib, { recursive: true });
  link(Deno.execPath(), `${lib}/deno`);
  for (const end of ["js", "bin"]) {
    if (isPresent(`${path}.${end}`)) link(`${path}.${end}`, `${lib}/${name}.${end}`);
  }
  const text = Deno.readTextFileSync(path);
  return inWorld(replaced(text, /^lib=.*$/m.exec(text)?.[0] ?? "lib=", `lib=${lib}`));
}

export function replaced(text: string, old: string, now: string): string {
  if (!text.includes(old)) throw new Error(`no ${old} in the launcher:\n${text}`);
  return text.replaceAll(old, () => now);
}

function link(target: string, path: string): void {
  try {
    Deno.symlinkSync(target, path);
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** "make install-*" into a folder of its own, for the tests of installing. @module */

import { replaced } from "./e2e/launcher_text.ts";
import { PROJECT } from "./e2e/program_flags.ts";
import { writeExecutable } from "./executable.ts";

export interface Made {
  readonly code: number;
  readonly stdout: string;
}

/** With the programs that were built, by whatever Deno built them. */
export async function make(destdir: string, target: string): Promise<Made> {
  const { code, stdout, stderr } = await new Deno.Command("make", {
    args: ["--no-print-directory", target, `DESTDIR=${destdir}`, `DENO=${Deno.execPath()}`],
    cwd: PROJECT,
  }).output();
  const text = new TextDecoder();
  if (code !== 0) console.error(text.decode(stderr));
  return { code, stdout: text.decode(stdout) };
}

/** Runs what was installed below `root`, where its launcher does not look by itself. */
export async function runInstalled(
  root: string,
  program: string,
  args: readonly string[],
): Promise<Made & { readonly stderr: string }> {
  const text = await Deno.readTextFile(`${root}/usr/bin/${program}`);
  const launcher = `${root}/${program}`;
  const lib = "lib=/usr/lib/qubes-claw";
  const here = replaced(text, lib, lib.replace("=", `=${root}`));
  writeExecutable(launcher, here);
  const { code, stdout, stderr } = await new Deno.Command(launcher, {
    args: [...args],
    clearEnv: true,
    env: { HOME: `${root}/home`, PATH: "/usr/bin:/bin", QUBES_CLAW_ROOT: root },
  }).output();
  await Deno.remove(launcher);
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

export interface TempFolder extends AsyncDisposable {
  readonly path: string;
}

export async function tempFolder(): Promise<TempFolder> {
  const path = await Deno.makeTempDir();
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

export function mode(path: string): number {
  return (Deno.statSync(path).mode ?? 0) & 0o7777;
}

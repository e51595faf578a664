// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What a program's start costs: its bundled script with --version, as a multiple of an empty
 * script's start in the same run.
 *
 * @module
 */

import { type Add, interleaved } from "./measure.ts";

/**
 * The same multiples for the bundles before operations and plans came in (the parent of "The programs
 * stand in one table"). A start may cost 5 % more. They change with the machine and its load: to judge
 * a change, measure both builds in one run (measure-starts.ts).
 */
export const STARTS_BEFORE: ReadonlyMap<string, number> = new Map([
  ["vm/qvm-remote", 1.2],
  ["dom0/openclaw-tunnel", 1.22],
  ["dom0/qvm-remote-dom0", 2.65],
]);
const ALLOWED = 1.05;
const ROUNDS = 60;

export async function benchStarts(built: string, add: Add): Promise<void> {
  for (const [program, before] of STARTS_BEFORE) {
    const [multiple = 0] = await multiplesOfEmpty([`${built}/${program}.js`]);
    add({
      name: `${program} --version, as a multiple of an empty script`,
      value: multiple,
      unit: "x",
      goal: Number((before * ALLOWED).toFixed(3)),
    });
  }
}

/** In turns: the machine is as busy for one as for the other. */
export async function multiplesOfEmpty(scripts: readonly string[]): Promise<readonly number[]> {
  const empty = await Deno.makeTempFile({ suffix: ".js" });
  try {
    await keepCompiled(await Promise.all(scripts.map((script) => Deno.realPath(script))));
    const runs = Object.fromEntries(
      [empty, ...scripts].map((path) => [path, () => run(path, "--version")]),
    );
    const times = await interleaved(ROUNDS, runs);
    const [least = 0, ...others] = Object.values(times).map(({ p50 }) => p50);
    return others.map((ms) => ms / least);
  } finally {
    await Deno.remove(empty);
  }
}

/**
 * Deno keeps the compiled code of a script as soon as a run of it waits for something, as each request
 * does; from then on a start is that of every day. A run of --version ends before that.
 */
async function keepCompiled(scripts: readonly string[]): Promise<void> {
  const loader = await Deno.makeTempFile({ suffix: ".js" });
  try {
    const loads = `for (const path of ${JSON.stringify(scripts)}) await import(path);\n`;
    const waits = "await new Promise((resolve) => setTimeout(resolve, 500));\n";
    await Deno.writeTextFile(loader, loads + waits);
    await run(loader);
  } finally {
    await Deno.remove(loader);
  }
}

async function run(script: string, ...args: readonly string[]): Promise<void> {
  const flags = ["--quiet", "--no-config", "--no-lock", "--no-remote", "--no-npm", "-A"];
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["run", ...flags, script, ...args],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).output();
  if (code !== 0) throw new Error(`${script} ended with code ${code}`);
}

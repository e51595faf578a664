// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Says what an agent VM would, for the simulated Qubes: openclaw-ctl of that VM, and openclaw-tunnel of
 * dom0. Arguments: a file for what runs, the program's name, its words.
 *
 * @module
 */

import { fakeAgent, runAgent } from "../dom0/admin/fake_agent.ts";

function main([file = "", program = "", word = "", part = ""]: readonly string[]): number {
  const agent = fakeAgent(Date.now());
  for (const [name, state] of stateIn(file)) agent.parts.set(name, state);
  const operation = program === "openclaw-tunnel" ? "tunnels" : word;
  const { stdout, stderr, exitCode } = runAgent(agent, `openclaw.${operation}`, { part });
  Deno.writeTextFileSync(file, JSON.stringify([...agent.parts]));
  Deno.stdout.writeSync(new TextEncoder().encode(stdout));
  Deno.stderr.writeSync(new TextEncoder().encode(stderr));
  return exitCode;
}

function stateIn(file: string): readonly (readonly [part: string, state: string])[] {
  try {
    return JSON.parse(Deno.readTextFileSync(file));
  } catch {
    return [];
  }
}

if (import.meta.main) Deno.exit(main(Deno.args));

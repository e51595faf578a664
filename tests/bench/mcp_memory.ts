// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Memory of a session of qvm-remote mcp, as it is installed: the first one of a user, for which Deno
 * has to compile the script, and every later one.
 *
 * @module
 */

import { denoFlags, programOf } from "../../shared/packaging/programs.ts";
import { utf8 } from "../../shared/protocol/bytes.ts";
import { textLines } from "../../shared/io/lines.ts";
import type { Add } from "./measure.ts";
import { rssMb } from "./proc.ts";

const CALLS = 500;
const GOAL_MB = 60;

export async function benchMcpMemory(built: string, add: Add): Promise<void> {
  const home = await Deno.makeTempDir();
  try {
    const script = await Deno.realPath(`${built}/vm/qvm-remote-mcp.js`);
    const [first, later] = [await session(script, home), await session(script, home)];
    const name = `qvm-remote mcp, after ${CALLS} calls: memory (RSS)`;
    add({ name: `${name} of a user's first session`, value: first, unit: "MB" });
    add({ name: `${name} of every later one`, value: later, unit: "MB", goal: GOAL_MB });
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

/** @returns its memory in MB */
async function session(script: string, home: string): Promise<number> {
  const flags = denoFlags(programOf("vm", "qvm-remote-mcp"))
    .map((flag) => flag.replaceAll("@HOME@", home));
  const base = ["run", "--quiet", "--no-config", "--no-lock", "--no-remote", "--no-npm"];
  const child = new Deno.Command(Deno.execPath(), {
    args: [...base, ...flags, script],
    clearEnv: true,
    env: { HOME: home },
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const writer = child.stdin.getWriter();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(textLines())
    .getReader();
  const ask = async (method: string, params: object): Promise<void> => {
    await writer.write(utf8(JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }) + "\n"));
    if ((await lines.read()).done) throw new Error(`no answer to ${method}`);
  };
  const clientInfo = { name: "bench", version: "1" };
  await ask("initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo });
  const call = { name: "job_get", arguments: { id: "20260101-000000-1-00000000" } };
  for (let round = 0; round < CALLS; round++) await ask("tools/call", call);
  const memory = rssMb(child.pid);
  await writer.close();
  await child.status;
  return memory;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** What the tests of the simulation share: running its programs, and waiting. @module */
import type { World } from "./world.ts";

/** A program that has ended. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Longest wait for something that must happen. */
const PATIENCE_MS = 60_000;

/** The command line for a service. */
export function rpc(service: string): string {
  return `DEFAULT:QUBESRPC ${service} dom0`;
}

/** Starts a program of dom0 with all streams piped. */
export function spawnDom0(world: World, argv: readonly string[]): Deno.ChildProcess {
  const [program = "", ...args] = argv;
  return new Deno.Command(`${world.dom0Bin}/${program}`, {
    args,
    clearEnv: true,
    env: world.dom0Env(),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Starts qrexec-client. */
export function spawnClient(
  world: World,
  vm: string,
  command: string,
  ...options: string[]
): Deno.ChildProcess {
  return spawnDom0(world, ["qrexec-client", ...options, "-d", vm, command]);
}

/** Writes `input`, closes stdin, and waits for the end. */
export async function finish(
  child: Deno.ChildProcess,
  input: string | Uint8Array = "",
): Promise<Ended> {
  const bytes = typeof input === "string" ? new TextEncoder().encode(input) : input;
  const writer = child.stdin.getWriter();
  const written = writer.write(bytes).then(() => writer.close()).catch(() => {}); // not read
  const { code, stdout, stderr } = await child.output();
  await written;
  return {
    code,
    stdout: new TextDecoder().decode(stdout),
    stderr: new TextDecoder().decode(stderr),
  };
}

/** Runs a program of dom0 to its end. */
export function runDom0(world: World, ...argv: string[]): Promise<Ended> {
  return finish(spawnDom0(world, argv));
}

/** Makes a call to its end. */
export function call(
  world: World,
  vm: string,
  command: string,
  input: string | Uint8Array = "",
  ...options: string[]
): Promise<Ended> {
  return finish(spawnClient(world, vm, command, ...options), input);
}

/** Kills a child and gives back its streams. */
export async function killChild(
  child: Deno.ChildProcess,
  signal: Deno.Signal = "SIGKILL",
): Promise<void> {
  try {
    child.kill(signal);
  } catch {
    // ended already
  }
  await child.status;
  for (const stream of [child.stdin, child.stdout, child.stderr]) {
    if (!stream.locked) {
      await ("cancel" in stream ? stream.cancel() : stream.abort()).catch(() => {});
    }
  }
}

/** Waits until the condition holds. @throws {Error} if it does not in time. */
export async function eventually(
  what: string,
  holds: () => boolean,
  patienceMs = PATIENCE_MS,
  everyMs = 5,
): Promise<void> {
  const deadline = Date.now() + patienceMs;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`not in time: ${what}`);
    await sleep(everyMs);
  }
}

/** Waits. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

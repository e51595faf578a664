// SPDX-License-Identifier: GPL-2.0-or-later
/** A simulated Qubes with the agent VM's and the client VM's programs, and servers to reach. @module */

import { installAgentPackage, installLogger } from "../sim/distribution.ts";
import { createWorld, type VmOptions, type World } from "../sim/world.ts";
import { finish, type Finished } from "./installed.ts";
import { type Program, sourceLauncher } from "./program_flags.ts";
import { writeExecutable } from "../executable.ts";

export interface VmSide extends AsyncDisposable {
  readonly world: World;
  /** A program of root's in a VM. */
  asRoot(vm: string, words: readonly string[]): Promise<Finished>;
}

const VM_PROGRAMS = {
  "openclaw-ports": "vm/openclaw-ports.ts",
  "openclaw-connect": "vm/openclaw-connect.ts",
  "openclaw-tunnel in a VM": "vm/openclaw-tunnel.ts",
} as const;

/** Every VM has the packages of a current Qubes. */
export async function vmSide(
  vms: readonly VmOptions[],
  policy: readonly string[] = [],
): Promise<VmSide> {
  const denoFolder = Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`;
  const world = await createWorld({
    vms: vms.map((vm) => ({ ...vm, running: false })),
    policy,
    extraEnv: { DENO_DIR: denoFolder },
  });
  installLogger(world);
  for (const [program, source] of Object.entries(VM_PROGRAMS)) {
    const name = program.split(" ")[0];
    writeLauncher(`${world.vmBin}/${name}`, program as Program, source);
  }
  for (const { name } of vms) {
    installAgentPackage(world, name, "link");
    const lib = `${world.vmRoot(name)}/usr/lib/qubes-claw`;
    Deno.mkdirSync(lib, { recursive: true });
    writeLauncher(`${lib}/openclaw.Mux`, "openclaw.Mux", "vm/openclaw.Mux.ts");
  }
  for (const vm of vms) if (vm.running !== false) await world.startVm(vm.name);
  return {
    world,
    asRoot: (vm, words) =>
      finish(world.runInVm(vm, words, {
        env: { QUBES_CLAW_ROOT: world.vmRoot(vm), USER: "root" },
        stdout: "piped",
        stderr: "piped",
      })),
    [Symbol.asyncDispose]: world.dispose,
  };
}

export function writeLauncher(path: string, program: Program, source: string): void {
  writeExecutable(path, sourceLauncher(program, source));
}

export interface Server extends Disposable {
  readonly port: number;
  /** Connections so far. */
  count(): number;
}

/** Reads to the client's end; then, later than socat's default would wait, answers and closes. */
export function lateServer(delayMs = 700): Server {
  return serve(async (conn) => {
    const text = await readAll(conn);
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    return `late answer to ${text}`;
  });
}

/** Answers to the first bytes and closes, while the client's side is open. */
export function earlyServer(): Server {
  return serve(async (conn) => {
    await conn.read(new Uint8Array(100));
    return "bye";
  });
}

function serve(answer: (conn: Deno.Conn) => Promise<string>): Server {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let count = 0;
  (async () => {
    for await (const conn of listener) {
      count++;
      (async () => {
        const text = await answer(conn);
        await conn.write(new TextEncoder().encode(text));
        conn.close();
      })().catch(() => {}); // the client broke it off
    }
  })().catch(() => {}); // closed
  return {
    port: listener.addr.port,
    count: () => count,
    [Symbol.dispose]: () => listener.close(),
  };
}

/** To the client's half-close; conn.readable would close the connection as well. */
async function readAll(conn: Deno.Conn): Promise<string> {
  let text = "";
  const bytes = new Uint8Array(4096);
  for (let got; (got = await conn.read(bytes)) !== null;) {
    text += new TextDecoder().decode(bytes.subarray(0, got));
  }
  return text;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** A simulated Qubes with the tunnel in dom0 and in a client VM, and ports behind it. @module */

import { freePort } from "./free_port.ts";
import type { PortState } from "../../shared/tunnel/carry/port_account.ts";
import type { TunnelState } from "../../shared/tunnel/state_file.ts";
import { createWorld, type World } from "../sim/world.ts";
import { finish, type Finished } from "./installed.ts";
import { type Program, sourceLauncher } from "./program_flags.ts";
import { writeExecutable } from "../executable.ts";

export const AGENT = "agent";
export const CLIENT = "client";

/** How much of the tunnel a port of the agent VM offers. */
export type Offer = "both" | "direct" | "mux" | "nothing";

export interface RunningTunnel {
  readonly port: number;
  readonly pid: number;
  readonly child: Deno.ChildProcess;
  said(): string;
  state(): PortState;
  stop(): Promise<number>;
}

export interface TunnelWorld extends AsyncDisposable {
  readonly world: World;
  /** Lets the agent VM serve the port. */
  offer(port: number, how: Offer): void;
  /** A tunnel to that port of the agent VM, listening. */
  tunnel(
    remotePort: number,
    where?: "dom0" | "VM",
    words?: readonly string[],
  ): Promise<RunningTunnel>;
  run(where: "dom0" | "VM", words: readonly string[]): Promise<Finished>;
}

export async function tunnelWorld(
  policy: readonly string[] = [`* * ${CLIENT} ${AGENT} allow`],
): Promise<TunnelWorld> {
  const denoFolder = Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`;
  const world = await createWorld({
    vms: [{ name: AGENT, maxCalls: 200 }, { name: CLIENT }],
    policy,
    extraEnv: { DENO_DIR: denoFolder },
  });
  write(`${world.dom0Bin}/openclaw-tunnel`, "openclaw-tunnel", "dom0/openclaw-tunnel.ts");
  write(`${world.vmBin}/openclaw-tunnel`, "openclaw-tunnel in a VM", "vm/openclaw-tunnel.ts");
  for (const root of [world.dom0Root, world.vmRoot(CLIENT)]) {
    Deno.mkdirSync(`${root}/etc/qubes`, { recursive: true });
    Deno.writeTextFileSync(`${root}/etc/qubes/openclaw.conf`, `OPENCLAW_VM=${AGENT}\n`);
  }
  Deno.mkdirSync(`${world.vmRoot(AGENT)}/etc/qubes/rpc-config`, { recursive: true });

  const spawn = (where: "dom0" | "VM", words: readonly string[]): Deno.ChildProcess =>
    where === "VM"
      ? world.runInVm(CLIENT, [`${world.vmBin}/openclaw-tunnel`, ...words], {
        env: { QUBES_CLAW_ROOT: world.vmRoot(CLIENT) },
        stdout: "piped",
        stderr: "piped",
      })
      : new Deno.Command(`${world.dom0Bin}/openclaw-tunnel`, {
        args: [...words],
        clearEnv: true,
        env: world.dom0Env(),
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
  return {
    world,
    offer(port, how) {
      if (how === "both" || how === "mux") {
        write(
          `${world.vmRoot(AGENT)}/etc/qubes-rpc/openclaw.Mux+${port}`,
          "openclaw.Mux",
          "vm/openclaw.Mux.ts",
        );
      }
      if (how === "both" || how === "direct") {
        world.installService(AGENT, `qubes.ConnectTCP+${port}`, {
          symlinkTo: "/dev/tcp/127.0.0.1",
        });
        world.configureService(AGENT, `qubes.ConnectTCP+${port}`, [
          "skip-service-descriptor=true",
          "exit-on-service-eof=true",
        ]);
      }
    },
    async tunnel(remotePort, where = "dom0", words = []) {
      const port = freePort();
      const root = where === "dom0" ? world.dom0Root : world.vmRoot(CLIENT);
      return await started(spawn(where, [...words, `${port}:${remotePort}`]), port, root);
    },
    run: (where, words) => finish(spawn(where, words)),
    [Symbol.asyncDispose]: world.dispose,
  };
}

function write(path: string, program: Program, source: string): void {
  writeExecutable(path, sourceLauncher(program, source));
}

async function started(
  child: Deno.ChildProcess,
  port: number,
  root: string,
): Promise<RunningTunnel> {
  const texts: string[] = [];
  const listens = Promise.withResolvers<void>();
  const note = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> => {
    for await (const part of stream.pipeThrough(new TextDecoderStream())) {
      texts.push(part);
      if (texts.join("").includes(`:${port}: leads to`)) listens.resolve();
    }
  };
  Promise.all([note(child.stdout), note(child.stderr)]).then(() =>
    listens.reject(new Error(`the tunnel did not listen: ${texts.join("")}`))
  );
  await listens.promise;
  const file = `${root}/run/openclaw/by-hand-${port}/tunnel.json`;
  return {
    port,
    pid: child.pid,
    child,
    said: () => texts.join(""),
    state() {
      const state: TunnelState = JSON.parse(Deno.readTextFileSync(file));
      const [first] = state.ports;
      if (first === undefined) throw new Error("no port in the state");
      return first;
    },
    async stop() {
      child.kill("SIGTERM");
      return (await child.status).code;
    },
  };
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A simulated Qubes that setup-dom0 --key-qube has made: a key qube with the real proxy and a
 * provider behind it, agent VMs with nothing but a tunnel. Where root can give each VM a loopback
 * of its own, an agent VM has no other network, and the provider is only in the key qube's.
 *
 * @module
 */

import { isPresent } from "../../shared/io/sync_files.ts";
import { installAgentPackage, installLogger } from "../sim/distribution.ts";
import { canMakeNetworks } from "../sim/own_network.ts";
import { readDomain } from "../sim/vm_domain.ts";
import type { World } from "../sim/world.ts";
import { builtVmLauncher } from "./built_launcher.ts";
import { finish, type Finished } from "./installed.ts";
import { until } from "../until.ts";
import { type Program, PROJECT, sourceLauncher } from "./program_flags.ts";
import { createScene, good, type SetupScene } from "./setup_scene.ts";
import { freePort } from "./free_port.ts";
import { writeExecutable } from "../executable.ts";

const BUILT = Deno.env.get("QVM_REMOTE_BUILT");
export const KEYS = "claw-keys";
const TUNNEL_UNIT = `${PROJECT}/vm/systemd/qubes-openclaw-tunnel.service`;

export interface Asked {
  /** 0: there was no answer. */
  readonly status: number;
  readonly text: string;
}

export interface KeyQubeWorld extends AsyncDisposable {
  readonly scene: SetupScene;
  readonly world: World;
  readonly isIsolated: boolean;
  /** Where the provider listens in the key qube. */
  readonly upstreamPort: number;
  asRoot(vm: string, words: readonly string[]): Promise<Finished>;
  /** ~/.openclaw of the key qube; proxy.env is 0600. */
  configure(config: unknown, secrets: string): Promise<void>;
  /** The proxy and its provider, if the key qube's services let the proxy start. */
  startKeyQube(providerKeys: string): Promise<void>;
  /** The unit of the tunnel, if the VM's services let it start. @param path before all of PATH */
  startTunnel(vm: string, path?: string): Promise<void>;
  /** A program of the VM asks 127.0.0.1:32125 there. */
  ask(vm: string, path: string, body?: unknown): Promise<Asked>;
}

/** @param agents names; each becomes an agent VM without keys */
export async function createKeyQubeWorld(
  agents: readonly string[],
  others: Parameters<typeof createScene>[0] = [],
): Promise<KeyQubeWorld> {
  const isIsolated = await canMakeNetworks();
  const scene = await createScene(others, {
    ...{ ownNetworks: isIsolated, realPolicies: true },
    extraEnv: { DENO_DIR: Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno` },
  });
  const { world } = scene;
  for (const agent of agents) {
    await good(scene, [agent, "fedora", "--key-qube", KEYS, "--key-netvm", "sys-firewall"]);
  }
  await install(world, [KEYS, ...agents, ...others.map(({ name }) => name)]);
  for (const vm of [KEYS, ...agents]) await world.startVm(vm);
  // With one network for all, the ports of the VMs must differ.
  const port = (): number => isIsolated ? 32125 : freePort();
  const ports = new Map(
    [KEYS, ...agents, ...others.map(({ name }) => name)].map((vm) => [vm, port()] as const),
  );
  const upstreamPort = isIsolated ? 9999 : freePort();
  let provider: { stop(): Promise<void> } | undefined;
  const inVm = (vm: string, words: readonly string[], env: Record<string, string> = {}) =>
    finish(world.runInVm(vm, words, { env, stdout: "piped", stderr: "piped" }));
  const ask: KeyQubeWorld["ask"] = async (vm, path, body) => {
    const url = `http://127.0.0.1:${ports.get(vm)}${path}`;
    const data = body === undefined
      ? []
      : ["--header", "content-type: application/json", "--data", JSON.stringify(body)];
    const words = ["curl", "--silent", "--include", "--max-time", "20", ...data, url];
    const { stdout } = await inVm(vm, [...words, "--write-out", "\n%{http_code}"]);
    const at = stdout.lastIndexOf("\n");
    return { status: Number(stdout.slice(at + 1)), text: stdout.slice(0, at) };
  };
  return {
    ...{ scene, world, isIsolated, upstreamPort, ask },
    asRoot: (vm, words) => inVm(vm, words, { USER: "root" }),
    async configure(config, secrets) {
      const folder = `${world.vmHome(KEYS)}/.openclaw`;
      await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
      await Deno.writeTextFile(`${folder}/proxy.json`, JSON.stringify(config));
      await Deno.writeTextFile(`${folder}/proxy.env`, secrets, { mode: 0o600 });
    },
    async startKeyQube(providerKeys) {
      if (!hasService(world, KEYS, "proxy")) throw new Error("the proxy's unit would not start");
      await provider?.stop();
      provider = startProvider(world, isIsolated ? KEYS : null, upstreamPort, providerKeys);
      const env = { OPENCLAW_PROXY_PORT: `${ports.get(KEYS)}` };
      world.runInVm(KEYS, ["/bin/sh", "-c", "exec openclaw-proxy 2>>$HOME/proxy.log"], { env });
      const log = `${world.vmHome(KEYS)}/proxy.log`;
      const listening = (): number =>
        (readIfAny(log).match(/"a VM is let in"|"no clients"/g) ?? []).length;
      const before = listening();
      await until("the proxy lets VMs in", () => listening() > before);
    },
    async startTunnel(vm, path) {
      const words = tunnelOf(world, vm, ports.get(vm) ?? 0);
      if (words === null) throw new Error(`the tunnel's unit would not start in ${vm}`);
      const env = path === undefined ? {} : { PATH: `${path}:${world.vmEnv(vm)["PATH"]}` };
      world.runInVm(vm, words, { env });
      for (let turn = 0; (await ask(vm, "/health")).status === 0 && turn < 5; turn++) {
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    },
    async [Symbol.asyncDispose]() {
      await provider?.stop();
      await scene[Symbol.asyncDispose]();
    },
  };
}

/**
 * In a VM's network, and in nothing else of it: a search there does not find it.
 *
 * @param vm null: the network that all share
 */
export function startProvider(
  world: World,
  vm: string | null,
  port: number,
  keys: string,
): { stop(): Promise<void> } {
  const pid = vm === null ? undefined : readDomain(world.folder, vm)?.agentPid;
  const enter = pid === undefined ? [] : ["nsenter", `--target=${pid}`, "--net", "--"];
  const source = `${PROJECT}/tests/e2e/keyqube-upstream.ts`;
  const argv = [...enter, Deno.execPath(), "run", "-A", "--no-check", source, `${port}`];
  const child = new Deno.Command(argv[0] ?? "", {
    ...{ args: argv.slice(1), env: { KEYS: keys }, stdin: "null" },
    ...{ stdout: "null", stderr: "null" },
  }).spawn();
  return {
    async stop() {
      child.kill("SIGKILL");
      await child.status;
    },
  };
}

/** What systemd would start; null where one of its conditions does not hold. */
export function tunnelOf(world: World, vm: string, port: number): readonly string[] | null {
  const text = Deno.readTextFileSync(TUNNEL_UNIT);
  for (const [, not, path] of text.matchAll(/^ConditionPathExists=(!?)(.*)$/gm)) {
    if (isPresent(`${world.vmRoot(vm)}${path}`) === (not === "!")) return null;
  }
  const line = /^ExecStart=\/usr\/bin\/(.*)$/m.exec(text)?.[1] ?? "";
  const route = port === 32125 ? "32125" : `${port}:32125`;
  return line.replace(/ 32125$/, ` ${route}`).split(" ");
}

function hasService(world: World, vm: string, name: string): boolean {
  return isPresent(`${world.vmRoot(vm)}/run/qubes-service/openclaw-${name}`);
}

/** As "make install-vm" in the template, or in the VM itself. */
export async function install(world: World, vms: readonly string[]): Promise<void> {
  installLogger(world);
  const write = (path: string, text: string): void => {
    Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    writeExecutable(path, text);
  };
  const launcher = async (name: string, program: Program, source: string): Promise<string> =>
    BUILT !== undefined
      ? await builtVmLauncher(world, name, BUILT)
      : sourceLauncher(program, source);
  const programs: readonly (readonly [string, Program])[] = [
    ["openclaw-ports", "openclaw-ports"],
    ["openclaw-tunnel", "openclaw-tunnel in a VM"],
    ["openclaw-proxy", "openclaw-proxy"],
  ];
  for (const [name, program] of programs) {
    write(`${world.vmBin}/${name}`, await launcher(name, program, `vm/${name}.ts`));
  }
  for (const vm of new Set(["fedora", ...vms])) {
    installAgentPackage(world, vm, "link");
    for (const name of ["openclaw.Mux", "openclaw.MuxPerVm"] as const) {
      const text = await launcher(name, name, `vm/${name}.ts`);
      write(`${world.vmRoot(vm)}/usr/lib/qubes-claw/${name}`, text);
    }
  }
}

export function readIfAny(path: string): string {
  return isPresent(path) ? Deno.readTextFileSync(path) : "";
}

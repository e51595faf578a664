// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A simulated Qubes in a folder, for tests: dom0, VMs, and everything a program
 * of this project meets there. README.md says what it keeps of the real one.
 *
 *     await using world = await createWorld({ vms: [{ name: "work" }] });
 *     world.installService("work", "test.Echo", "#!/bin/sh\nexec cat\n");
 *     new Deno.Command(`${world.dom0Bin}/qrexec-client`, {
 *       args: ["-d", "work", "DEFAULT:QUBESRPC test.Echo dom0"],
 *       clearEnv: true, env: world.dom0Env(), stdin: "piped", stdout: "piped",
 *     });
 *
 * @module
 */
import { removeIfPresent } from "../../shared/io/sync_files.ts";
import { dom0Environment, vmEnvironment } from "./environment.ts";
import { type Faults, NO_FAULTS, readFaults } from "./faults.ts";
import { vmPaths, worldPaths } from "./layout.ts";
import { DEFAULT_MAX_CALLS } from "./limits.ts";
import { killInside, processInfo } from "./processes.ts";
import { type PowerState, powerState, readDomain } from "./vm_domain.ts";
import * as life from "./vm_life.ts";
import { findVm, readWorld, type VmConfig, type WorldConfig } from "./world_config.ts";
import { buildWorld, startJanitor } from "./world_folder.ts";
import { writeExecutable } from "../executable.ts";

/** One VM to be created. What is left out has the default of a plain AppVM. */
export interface VmOptions {
  readonly name: string;
  /** Started at once unless this is false. */
  readonly running?: boolean;
  readonly klass?: string;
  readonly label?: string;
  readonly tags?: readonly string[];
  readonly features?: Readonly<Record<string, string>>;
  readonly prefs?: Readonly<Record<string, string>>;
  readonly maxCalls?: number;
}

/** What a world is to have. */
export interface WorldOptions {
  readonly vms: readonly VmOptions[];
  /** Where: a new folder below /tmp unless given; it is created if it is not there. */
  readonly folder?: string;
  /** Properties of this Qubes, such as default_template. */
  readonly globals?: Readonly<Record<string, string>>;
  /** Each VM has a loopback of its own; needs root. */
  readonly ownNetworks?: boolean;
  /** Variables every program gets beside those of environment.ts. */
  readonly extraEnv?: Readonly<Record<string, string>>;
  /** Lines of /etc/qubes/policy.d/30-user.policy in dom0: which calls VMs may make. */
  readonly policy?: readonly string[];
  /** The world stays when the process that created it ends. */
  readonly isLasting?: boolean;
}

/** How to start something in a VM. */
export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdin?: "piped" | "inherit" | "null";
  readonly stdout?: "piped" | "inherit" | "null";
  readonly stderr?: "piped" | "inherit" | "null";
}

/** What `installService` puts in place: a program's text, or where a link leads. */
export type ServiceContent = string | { readonly symlinkTo: string };

/** Faults to change; the others stay as they are. */
export type FaultChanges = Partial<Faults>;

/** A world, as tests use it. */
export interface World extends AsyncDisposable {
  readonly folder: string;
  readonly dom0Root: string;
  readonly dom0Bin: string;
  readonly vmBin: string;
  dom0Env(): Record<string, string>;
  vmEnv(vm: string): Record<string, string>;
  /** Folders and files of one VM. */
  vmHome(vm: string): string;
  vmRoot(vm: string): string;
  vmLog(vm: string): string;
  powerState(vm: string): PowerState;
  startVm(vm: string): Promise<void>;
  killVm(vm: string): Promise<void>;
  shutdownVm(vm: string): Promise<void>;
  pauseVm(vm: string): Promise<void>;
  unpauseVm(vm: string): Promise<void>;
  installService(vm: string, service: string, content: ServiceContent): void;
  /** Lines of the service's rpc-config file. */
  configureService(vm: string, service: string, lines: readonly string[]): void;
  /** Starts a process of the VM's user, in a session of its own. */
  runInVm(vm: string, argv: readonly string[], options?: RunOptions): Deno.ChildProcess;
  /** Changes some faults of the VM; they hold when this returns. */
  setFaults(vm: string, changes: FaultChanges): Promise<void>;
  /** Ends all faults of the VM. */
  clearFaults(vm: string): Promise<void>;
  /** Ends every process of the world and removes its folder. */
  dispose(): Promise<void>;
}

/** Creates a world and starts its VMs. */
export async function createWorld(options: WorldOptions): Promise<World> {
  const folder = options.folder ?? await Deno.makeTempDir({ dir: "/tmp", prefix: "qsim-" });
  await buildWorld(folder, {
    vms: options.vms.map(vmConfig),
    extraEnv: options.extraEnv ?? {},
    globals: options.globals ?? {},
    ownNetworks: options.ownNetworks ?? false,
  }, options.policy ?? []);
  const janitor = options.isLasting ? undefined : startJanitor(folder);
  const world = openWorld(folder, async () => await janitor?.dismiss());
  try {
    const starting = options.vms.filter((vm) => vm.running !== false);
    await Promise.all(starting.map((vm) => world.startVm(vm.name)));
  } catch (error) {
    await world.dispose();
    throw error;
  }
  return world;
}

/** Opens a world that is there already. @throws {Deno.errors.NotFound} */
export function openWorld(folder: string, onDispose = async () => {}): World {
  const paths = worldPaths(folder);
  const config: WorldConfig = readWorld(folder);
  const known = (vm: string) => {
    if (findVm(readWorld(folder), vm) === undefined) throw new Error(`no VM "${vm}" in this world`);
    return vmPaths(folder, vm);
  };
  const dispose = async () => {
    await killInside(folder, undefined);
    for (const { name } of readWorld(folder).vms) {
      await killInside(folder, name, vmPaths(folder, name).sessions);
    }
    await Deno.remove(folder, { recursive: true });
    await onDispose();
  };
  return {
    folder,
    dom0Root: paths.dom0Root,
    dom0Bin: paths.dom0Bin,
    vmBin: paths.vmBin,
    dom0Env: () => dom0Environment(folder, config),
    vmEnv: (vm) => known(vm) && vmEnvironment(folder, config, vm),
    vmHome: (vm) => known(vm).home,
    vmRoot: (vm) => known(vm).root,
    vmLog: (vm) => Deno.readTextFileSync(known(vm).log),
    powerState: (vm) => known(vm) && powerState(folder, vm),
    startVm: (vm) => life.startVm(folder, vm),
    killVm: (vm) => life.killVm(folder, vm),
    shutdownVm: (vm) => life.shutdownVm(folder, vm),
    pauseVm: (vm) => life.pauseVm(folder, vm),
    unpauseVm: (vm) => life.unpauseVm(folder, vm),
    installService(vm, service, content) {
      const path = `${known(vm).root}/etc/qubes-rpc/${service}`;
      removeIfPresent(path); // never through a symlink into the machine's own files
      if (typeof content === "string") writeExecutable(path, content);
      else Deno.symlinkSync(content.symlinkTo, path);
    },
    configureService(vm, service, lines) {
      const path = `${known(vm).root}/etc/qubes/rpc-config/${service}`;
      Deno.writeTextFileSync(path, lines.join("\n") + "\n");
    },
    runInVm: (vm, argv, run = {}) => runInVm(folder, config, vm, argv, run),
    setFaults: (vm, changes) =>
      life.setFaults(folder, vm, { ...readFaults(folder, vm), ...changes }),
    clearFaults: (vm) => life.setFaults(folder, vm, NO_FAULTS),
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

function vmConfig(options: VmOptions): VmConfig {
  return {
    name: options.name,
    klass: options.klass ?? "AppVM",
    label: options.label ?? "red",
    tags: options.tags ?? [],
    features: options.features ?? {},
    prefs: options.prefs ?? {},
    maxCalls: options.maxCalls ?? DEFAULT_MAX_CALLS,
  };
}

function runInVm(
  folder: string,
  config: WorldConfig,
  vm: string,
  argv: readonly string[],
  options: RunOptions,
): Deno.ChildProcess {
  const domain = readDomain(folder, vm);
  if (domain === undefined) throw new Error(`"${vm}" is halted`);
  const enter = ["nsenter", `--target=${domain.agentPid}`, "--net", "--"];
  const [program = "", ...args] = [...config.ownNetworks ? enter : [], ...argv];
  const paths = vmPaths(folder, vm);
  const env = { ...vmEnvironment(folder, config, vm), ...options.env };
  const child = new Deno.Command(program, {
    args,
    clearEnv: true,
    env,
    cwd: options.cwd ?? paths.home,
    stdin: options.stdin ?? "null",
    stdout: options.stdout ?? "null",
    stderr: options.stderr ?? "null",
    detached: true,
  }).spawn();
  const info = processInfo(child.pid);
  if (info !== undefined) {
    Deno.writeTextFileSync(paths.sessions, `${info.pid} ${info.startTime}\n`, { append: true });
  }
  return child;
}

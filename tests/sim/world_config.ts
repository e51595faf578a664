// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What qubesd knows of a world: its VMs and their properties, in W/world.json.
 *
 * Several programs read and change it at once, so each change is made under a
 * lock and published by rename.
 *
 * @module
 */
import { worldPaths } from "./layout.ts";
import { writeByRename } from "./files.ts";

/** One VM as qubesd sees it. Properties and features are text, as in the Admin API. */
export interface VmConfig {
  readonly name: string;
  readonly klass: string;
  readonly label: string;
  readonly tags: readonly string[];
  readonly features: Readonly<Record<string, string>>;
  /** Properties that were set; others have the default of `DEFAULT_PREFS`. */
  readonly prefs: Readonly<Record<string, string>>;
  /** Rules as the Admin API writes them; not there: the default, which accepts all. */
  readonly firewall?: readonly string[];
  /** Devices of dom0's that it has, as "dom0:sdb". */
  readonly devices?: readonly string[];
  /** How many calls may be open at once; Xen refuses more than some 10 to 25. */
  readonly maxCalls: number;
}

/** A world, as its W/world.json says. */
export interface WorldConfig {
  /** The Deno that runs the simulation and that programs find as `deno`. */
  readonly deno: string;
  readonly denoDir: string;
  /** The next domain number: Xen gives a new one at every start. */
  readonly nextXid: number;
  readonly vms: readonly VmConfig[];
  /** Properties of this Qubes that are not empty, such as default_netvm. */
  readonly globals?: Readonly<Record<string, string>>;
  /** Each VM has a network namespace with a loopback of its own, as root can make them. */
  readonly ownNetworks?: boolean;
  /** Variables every program of dom0 or of a VM gets beside the usual ones. */
  readonly extraEnv: Readonly<Record<string, string>>;
}

/** @throws {Deno.errors.NotFound} if there is no world in `folder`. */
export function readWorld(folder: string): WorldConfig {
  return JSON.parse(Deno.readTextFileSync(worldPaths(folder).config));
}

/** @returns the VM called `name`, or undefined. */
export function findVm(world: WorldConfig, name: string): VmConfig | undefined {
  return world.vms.find((vm) => vm.name === name);
}

/** Changes the configuration under its lock; returns what is now in the file. */
export async function changeWorld(
  folder: string,
  change: (world: WorldConfig) => WorldConfig,
): Promise<WorldConfig> {
  const paths = worldPaths(folder);
  using lock = await Deno.open(paths.lock, { create: true, write: true });
  await lock.lock(true);
  const changed = change(readWorld(folder));
  writeByRename(paths.config, JSON.stringify(changed, null, 1));
  return changed;
}

/** Changes one VM. @throws {Error} if there is none of that name. */
export async function changeVm(
  folder: string,
  name: string,
  change: (vm: VmConfig) => VmConfig,
): Promise<void> {
  await changeWorld(folder, (world) => {
    if (findVm(world, name) === undefined) throw new Error(`no VM "${name}"`);
    return { ...world, vms: world.vms.map((vm) => vm.name === name ? change(vm) : vm) };
  });
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** A simulated Qubes in which setup-dom0 is installed with its exact permissions. @module */

import { assertEquals } from "@std/assert";
import { firewallRules } from "../sim/qvm_firewall.ts";
import { unitStates } from "../sim/systemctl.ts";
import { readWorld } from "../sim/world_config.ts";
import { createWorld, type VmOptions, type World, type WorldOptions } from "../sim/world.ts";
import { finish, type Finished } from "./installed.ts";
import { builtDom0Launcher } from "./built_launcher.ts";
import { PROJECT, sourceLauncher } from "./program_flags.ts";
import { writeExecutable } from "../executable.ts";

export const KEYS_POLICY = "40-openclaw-keys.policy";
export const UNIT = "openclaw-tunnels.service";
export const RC_LOCAL = "rw/config/rc.local";
export const FIREWALL_SCRIPT = "rw/config/qubes-firewall-user-script";
/** As Qubes makes it at the first start of a VM. */
export const FRESH_SCRIPT = "#!/bin/sh\n\n# This script will be executed at every VM startup.\n";

export const POLICY = `# a stand-in
qubes.ConnectTCP +32125 @tag:openclaw-client @tag:openclaw-server allow
qubes.ConnectTCP +18789 @tag:openclaw-client @tag:openclaw-server allow
`;

export interface SetupScene extends AsyncDisposable {
  readonly world: World;
  setup(words: readonly string[], input?: string): Promise<Finished>;
  /** All that setup could change: qubesd's view, files of dom0 and of VMs, units. */
  snapshot(): Promise<Snapshot>;
  dom0File(path: string): string;
  /** Makes a tool of dom0 fail once its arguments contain the text; undefined: well again. */
  breakTool(tool: string, argument: string | undefined): Promise<void>;
}

export type Snapshot = Readonly<Record<string, unknown>>;

const BUILT = Deno.env.get("QVM_REMOTE_BUILT");

const NETWORK: readonly VmOptions[] = [
  {
    name: "fedora",
    klass: "TemplateVM",
    label: "black",
    running: false,
    features: { os: "Linux" },
    tags: ["distribution"],
  },
  { name: "debian", klass: "TemplateVM", label: "black", running: false },
  { name: "sys-net", label: "red", prefs: { provides_network: "True", template: "fedora" } },
  {
    name: "sys-firewall",
    label: "orange",
    prefs: { provides_network: "True", template: "fedora", netvm: "sys-net" },
  },
];

export interface SceneOptions extends Pick<WorldOptions, "ownNetworks" | "extraEnv"> {
  /** The policy files of this project, not stand-ins. */
  readonly realPolicies?: boolean;
}

export async function createScene(
  vms: readonly VmOptions[] = [],
  { realPolicies = false, ...options }: SceneOptions = {},
): Promise<SetupScene> {
  const world = await createWorld({
    vms: [...NETWORK.map(isolated), ...vms],
    globals: { default_template: "fedora", default_netvm: "sys-firewall" },
    ...options,
  });
  const root = world.dom0Root;
  for (const folder of ["etc/qubes/policy.d", "usr/share/qubes-claw/policies"]) {
    await Deno.mkdir(`${root}/${folder}`, { recursive: true });
  }
  await Deno.mkdir(`${root}/usr/lib/systemd/system`, { recursive: true });
  await Deno.writeTextFile(`${root}/usr/lib/systemd/system/${UNIT}`, "[Service]\n");
  const source = `${root}/usr/share/qubes-claw/policies`;
  await Deno.writeTextFile(`${source}/50-openclaw.policy`, POLICY);
  await Deno.writeTextFile(`${source}/30-openclaw-inter-vm.policy`, "# a stand-in, too\n");
  for (const name of [KEYS_POLICY, ...realPolicies ? ["50-openclaw.policy"] : []]) {
    await Deno.copyFile(`${PROJECT}/policies/${name}`, `${source}/${name}`);
  }
  const start = BUILT === undefined
    ? setupLauncher(root)
    : await builtDom0Launcher(world, "setup-dom0", BUILT);
  writeExecutable(`${world.dom0Bin}/setup-dom0`, start);
  for (const { name } of [...NETWORK, ...vms]) await freshScripts(world, name);
  return {
    world,
    setup: (words, input = "") =>
      finish(
        new Deno.Command(`${world.dom0Bin}/setup-dom0`, {
          args: [...words],
          clearEnv: true,
          env: world.dom0Env(),
          stdin: "piped",
          stdout: "piped",
          stderr: "piped",
        }).spawn(),
        input,
      ),
    snapshot: () => snapshot(world),
    dom0File: (path) => Deno.readTextFileSync(`${root}/${path}`),
    breakTool: (tool, argument) => breakTool(world, tool, argument),
    [Symbol.asyncDispose]: world.dispose,
  };
}

/** Nothing of the default netvm, which they would otherwise follow. */
function isolated(vm: VmOptions): VmOptions {
  return vm.klass === "TemplateVM" ? vm : { ...vm, prefs: { netvm: "", ...vm.prefs } };
}

async function freshScripts(world: World, vm: string): Promise<void> {
  for (const path of [RC_LOCAL, FIREWALL_SCRIPT]) {
    const file = `${world.vmRoot(vm)}/${path}`;
    await Deno.mkdir(file.slice(0, file.lastIndexOf("/")), { recursive: true });
    writeExecutable(file, FRESH_SCRIPT);
  }
}

/** The same permissions as installed, for folders that are below the root of this world. */
export function setupLauncher(root: string): string {
  const text = sourceLauncher("setup-dom0", "dom0/setup-dom0.ts");
  return text.replace(
    /"--allow-(read|write)=[^"]*"/g,
    (flag) => flag.replace(/(?<=[=,])\//g, `${root}/`),
  );
}

async function snapshot(world: World): Promise<Snapshot> {
  const { vms } = readWorld(world.folder);
  const files: Record<string, string> = {};
  for (const folder of ["etc", "var/lib"]) {
    await readAll(`${world.dom0Root}/${folder}`, `dom0:${folder}`, files);
  }
  delete files["dom0:var/lib/qubes/qubes.xml"]; // qubesd's own: its VMs are below
  for (const { name } of vms) await readAll(`${world.vmRoot(name)}/rw`, name, files);
  return {
    files,
    units: Object.fromEntries(
      Object.entries(unitStates(world.folder)).filter(([, unit]) => unit.enabled || unit.active),
    ),
    vms: vms.map((vm) => ({
      ...{ name: vm.name, klass: vm.klass, label: vm.label, prefs: sorted(vm.prefs) },
      ...{ features: sorted(vm.features), tags: [...vm.tags].sort() },
      ...{ firewall: firewallRules(vm), state: world.powerState(vm.name) },
    })),
  };
}

function sorted(record: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(record).sort());
}

async function readAll(folder: string, shown: string, into: Record<string, string>): Promise<void> {
  try {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      const path = `${folder}/${name}`;
      if (isDirectory) await readAll(path, `${shown}/${name}`, into);
      else {
        const mode = ((await Deno.stat(path)).mode ?? 0) & 0o777;
        into[`${shown}/${name}`] = `${mode.toString(8)} ${await Deno.readTextFile(path)}`;
      }
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function breakTool(world: World, tool: string, argument: string | undefined): Promise<void> {
  const path = `${world.dom0Bin}/${tool}`;
  if (argument === undefined) return await Deno.rename(`${path}.real`, path);
  await Deno.rename(path, `${path}.real`);
  const script = `#!/bin/sh
case "$*" in *"${argument}"*) echo "${tool}: error: Got empty response from qubesd" >&2; exit 1 ;; esac
exec "${path}.real" "$@"
`;
  writeExecutable(path, script);
}

/** Runs setup-dom0, which must succeed. @returns what it said on both streams */
export async function good(
  scene: SetupScene,
  words: readonly string[],
  input?: string,
): Promise<string> {
  const end = await scene.setup(words, input);
  assertEquals(end.code, 0, `${words}: ${end.stdout}${end.stderr}`);
  return end.stdout + end.stderr;
}

/** A VM as qubesd knows it now. */
export function vmIn(scene: SetupScene, name: string) {
  const vm = readWorld(scene.world.folder).vms.find((one) => one.name === name);
  if (vm === undefined) throw new Error(`no ${name}`);
  return vm;
}

/** The state without the VMs of those names. */
export function without(state: Snapshot, ...names: readonly string[]): unknown {
  const vms = (state["vms"] as { name: string }[]).filter(({ name }) => !names.includes(name));
  return { ...state, vms };
}

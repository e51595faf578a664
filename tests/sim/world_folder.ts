// SPDX-License-Identifier: GPL-2.0-or-later
/** Builds the folder of a world, and sees to it that it does not outlive its test. @module */
import { denoRun, quote, writeLauncher } from "./launcher.ts";
import { vmPaths, worldPaths } from "./layout.ts";
import { POLICY_FOLDERS } from "../../dom0/qrexec_policy/load_policy.ts";
import { MAX_SOCKET_PATH_BYTES } from "./limits.ts";
import type { WorldConfig } from "./world_config.ts";
import { writeByRename } from "./files.ts";
import { writeExecutable } from "../executable.ts";

const CLIENT = new URL("./qrexec-client.ts", import.meta.url);
const CLIENT_VM = new URL("./qrexec-client-vm.ts", import.meta.url);
const ADMIN_TOOL = new URL("./admin-tool.ts", import.meta.url);
const SIM_CLI = new URL("./sim_cli.ts", import.meta.url);
const DOM0_DIRS = [
  "etc/qubes",
  "run/qubes",
  "var/lib",
  "var/log/qubes",
  "root",
  "usr/bin",
] as const;
/** Where a user's own lines stand in Qubes. */
const USER_POLICY = "/etc/qubes/policy.d/30-user.policy";
/** Room for the longest file name in dom0's /run/qubes. */
const LONGEST_SOCKET = "qrexec." + "v".repeat(31);

/** Writes the folders, the configuration and the programs of a new world. */
export async function buildWorld(
  folder: string,
  parts:
    & Pick<WorldConfig, "vms" | "extraEnv">
    & Pick<Partial<WorldConfig>, "globals" | "ownNetworks">,
  policy: readonly string[],
): Promise<void> {
  const paths = worldPaths(folder);
  if (`${paths.socketDir}/${LONGEST_SOCKET}`.length > MAX_SOCKET_PATH_BYTES) {
    throw new Error(`folder name too long for sockets: ${folder}`);
  }
  const dom0Dirs = [...DOM0_DIRS, ...POLICY_FOLDERS.map((dir) => dir.slice(1))]
    .map((dir) => `${paths.dom0Root}/${dir}`);
  for (const dir of [...dom0Dirs, paths.dom0Bin, paths.vmBin]) {
    await Deno.mkdir(dir, { recursive: true });
  }
  const world: WorldConfig = {
    deno: Deno.execPath(),
    denoDir: denoDirOfThisProcess(),
    nextXid: 1,
    ...parts,
  };
  writeByRename(paths.config, JSON.stringify(world, null, 1));
  // Where qubesd keeps what it knows: another file after each change, as this one is.
  await Deno.mkdir(`${paths.dom0Root}/var/lib/qubes`, { recursive: true });
  await Deno.symlink(paths.config, `${paths.dom0Root}/var/lib/qubes/qubes.xml`);
  if (policy.length > 0) {
    const path = `${paths.dom0Root}${USER_POLICY}`;
    await Deno.writeTextFile(path, `${policy.join("\n")}\n`);
  }
  for (const { name } of parts.vms) await buildVm(folder, name);
  installPrograms(folder, world);
}

/** Writes the folders of one VM. */
export async function buildVm(folder: string, name: string): Promise<void> {
  const vm = vmPaths(folder, name);
  for (const dir of [vm.home, ...vm.serviceDirs, ...vm.rpcConfigDirs]) {
    await Deno.mkdir(dir, { recursive: true });
  }
  await Deno.writeTextFile(vm.log, "");
  installStandardServices(vm.serviceDirs.at(-1) ?? "");
}

/** Removes all that is of a VM. */
export async function removeVmFolder(folder: string, name: string): Promise<void> {
  await Deno.remove(vmPaths(folder, name).root, { recursive: true });
}

/** The services every VM has that qvm-run needs. */
function installStandardServices(dir: string): void {
  Deno.symlinkSync("/bin/bash", `${dir}/qubes.VMShell`);
  writeExecutable(`${dir}/qubes.VMExec`, VMEXEC);
}

/** Takes apart what qvm-run put into the argument, and runs it. */
const VMEXEC = String.raw`#!/bin/bash
IFS=+ read -r -a encoded <<<"$1+"
argv=()
for word in "\${encoded[@]}"; do
  decoded=
  while [ -n "$word" ]; do
    case $word in
      --*) decoded+=-; word=\${word:2} ;;
      -*) printf -v byte %b "\x\${word:1:2}"; decoded+=$byte; word=\${word:3} ;;
      *) decoded+=\${word:0:1}; word=\${word:1} ;;
    esac
  done
  argv+=("$decoded")
done
exec "\${argv[@]}"
`.replaceAll("\\${", "${");

function installPrograms(folder: string, world: WorldConfig): void {
  const paths = worldPaths(folder);
  const launch = (path: string, program: URL, ...args: string[]) =>
    writeLauncher(path, world.denoDir, [...denoRun(world, program), folder, ...args]);
  launch(`${paths.dom0Bin}/qrexec-client`, CLIENT);
  launch(`${paths.vmBin}/qrexec-client-vm`, CLIENT_VM);
  for (const tool of ADMIN_TOOLS) launch(`${paths.dom0Bin}/${tool}`, ADMIN_TOOL, tool);
  launch(`${paths.vmBin}/qubesdb-read`, ADMIN_TOOL, "qubesdb-read");
  const script = (path: string, line: string) => writeExecutable(path, `#!/bin/sh\n${line}\n`);
  script(`${paths.dom0Bin}/hostname`, "echo dom0");
  script(`${paths.vmBin}/hostname`, `exec ${quote(`${paths.vmBin}/qubesdb-read`)} /name`);
  // What a VM does to its own kernel is written down in the VM, and goes no further.
  for (const tool of ["nft", "sysctl"]) {
    script(`${paths.vmBin}/${tool}`, `echo "${tool} $*" >>"$QUBES_CLAW_ROOT/kernel.log"`);
  }
  for (const bin of [paths.dom0Bin, paths.vmBin]) Deno.symlinkSync(world.deno, `${bin}/deno`);
}

const ADMIN_TOOLS = [
  "qvm-backup",
  "qvm-backup-restore",
  "qvm-check",
  "qvm-create",
  "qvm-device",
  "qvm-features",
  "qvm-firewall",
  "qvm-kill",
  "qvm-ls",
  "qvm-pause",
  "qvm-prefs",
  "qvm-remove",
  "qvm-run",
  "qvm-service",
  "qvm-shutdown",
  "qvm-start",
  "qvm-tags",
  "qvm-unpause",
  "qubes-prefs",
  "systemctl",
];

/** Removes the world when the process that created it is gone without having done so. */
export interface Janitor {
  /** The world has been removed: nothing is left to do. */
  dismiss(): Promise<void>;
}

/** @returns a janitor: a sleeping shell whose stdin this process holds open. */
export function startJanitor(folder: string): Janitor {
  const cleanUp = [...denoRun({ deno: Deno.execPath() }, SIM_CLI), "stop", folder];
  const child = new Deno.Command("/bin/sh", {
    args: ["-c", `read -r line || exec ${cleanUp.map(quote).join(" ")}`],
    clearEnv: true,
    env: { PATH: "/usr/bin:/bin", DENO_DIR: denoDirOfThisProcess() },
    stdin: "piped",
    stdout: "null",
    stderr: "null",
    detached: true, // not ended together with us by a terminal's SIGINT
  }).spawn();
  const stdin = child.stdin.getWriter();
  return {
    async dismiss() {
      await stdin.write(new TextEncoder().encode("done\n"));
      await stdin.close();
      await child.status;
    },
  };
}

/** Where this Deno keeps what it compiled, so that others need not do it again. */
function denoDirOfThisProcess(): string {
  const cache = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME") ?? "/tmp"}/.cache`;
  return Deno.env.get("DENO_DIR") ?? `${cache}/deno`;
}

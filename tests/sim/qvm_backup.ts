// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * qvm-backup and qvm-backup-restore: a backup is a file with the configuration of its VMs and a MAC by
 * the passphrase, not their data. Options and messages as in qubes-core-admin-client.
 *
 * @module
 */
import { createHmac } from "node:crypto";
import { vmPaths, worldPaths } from "./layout.ts";
import { parseToolArgs, type ToolArgs, ToolRuntimeError, ToolUsageError } from "./tool_args.ts";
import { oneDomain, type ToolContext } from "./tool_context.ts";
import { getPreference } from "./vm_prefs.ts";
import { changeWorld, readWorld, type VmConfig } from "./world_config.ts";
import { buildVm } from "./world_folder.ts";

/** What one VM takes, so that the progress is to be seen. */
const STEP_MS = 300;

export async function qvmBackup(context: ToolContext): Promise<number> {
  const args = parseToolArgs(context.args, [
    ["--yes -y", "flag"],
    ["--exclude -x", "append"],
    ["--dest-vm -d", "value"],
    ["--passphrase-file -p", "value"],
  ]);
  const [location, ...names] = args.words;
  if (location === undefined) {
    throw new ToolUsageError("either --profile or 'backup_location' is required");
  }
  if (!args.has("--yes")) throw new ToolRuntimeError("nobody is here to confirm it");
  for (const name of [...names, ...args.values("--exclude")]) oneDomain(context, name);
  const chosen = readWorld(context.folder).vms.filter((vm) =>
    (names.length > 0 ? names.includes(vm.name) : isMarked(context, vm)) &&
    !args.values("--exclude").includes(vm.name)
  );
  const folder = placeOf(context, args, location);
  if (!isFolder(folder)) throw new ToolRuntimeError(`Backup location ${location} does not exist`);
  const passphrase = passphraseOf(context, args);
  for (const [index, { name }] of chosen.entries()) {
    await new Promise((resolve) => setTimeout(resolve, STEP_MS));
    const percent = (100 * (index + 1) / chosen.length).toFixed(2);
    context.err(`Making a backup... ${percent}% (${name})\n`);
  }
  const text = JSON.stringify(chosen);
  const stamp = new Date().toISOString().slice(0, 19).replaceAll(":", "");
  await Deno.writeTextFile(
    `${folder}/qubes-backup-${stamp}`,
    JSON.stringify({ mac: macOf(passphrase, text), text }),
  );
  return 0;
}

export async function qvmBackupRestore(context: ToolContext): Promise<number> {
  const args = parseToolArgs(context.args, [
    ["--verify-only", "flag"],
    ["--skip-broken", "flag"],
    ["--ignore-missing", "flag"],
    ["--skip-conflicting", "flag"],
    ["--rename-conflicting", "flag"],
    ["--exclude -x", "append"],
    ["--skip-dom0-home", "flag"],
    ["--dest-vm -d", "value"],
    ["--passphrase-file -p", "value"],
  ]);
  const [location, ...names] = args.words;
  if (location === undefined) {
    throw new ToolUsageError("the following arguments are required: backup_location");
  }
  context.err("Checking backup content...\n");
  const wanted = await readBackup(context, args, location).then((all) =>
    all.filter(({ name }) =>
      (names.length === 0 || names.includes(name)) && !args.values("--exclude").includes(name)
    )
  );
  context.out(wanted.map(({ name, klass }) => `${name}  ${klass}\n`).join(""));
  const taken = new Set(readWorld(context.folder).vms.map(({ name }) => name));
  const conflicts = wanted.filter(({ name }) => taken.has(name));
  if (conflicts.length > 0) {
    context.err("*** There are VMs with conflicting names on the host! ***\n");
    const isSolved = args.has("--skip-conflicting") || args.has("--rename-conflicting");
    if (!isSolved && !args.has("--verify-only")) {
      throw new ToolRuntimeError(
        "Remove VMs with conflicting names from the host before proceeding.",
      );
    }
  }
  if (args.has("--verify-only")) {
    context.err("The above VM archive(s) will be verified.\n");
    return 0;
  }
  for (const vm of wanted) {
    if (taken.has(vm.name) && !args.has("--rename-conflicting")) continue;
    const name = freeName(vm.name, taken);
    taken.add(name);
    await new Promise((resolve) => setTimeout(resolve, STEP_MS));
    context.err(`Restoring ${vm.name}${name === vm.name ? "" : ` as ${name}`}\n`);
    await changeWorld(context.folder, (now) => ({ ...now, vms: [...now.vms, { ...vm, name }] }));
    await buildVm(context.folder, name);
  }
  return 0;
}

async function readBackup(
  context: ToolContext,
  args: ToolArgs,
  location: string,
): Promise<readonly VmConfig[]> {
  const passphrase = passphraseOf(context, args);
  const content = await Deno.readTextFile(placeOf(context, args, location)).catch(() => {
    throw new ToolRuntimeError(`Backup file ${location} does not exist or cannot be read`);
  });
  const { mac, text } = JSON.parse(content);
  if (mac !== macOf(passphrase, text)) {
    throw new ToolRuntimeError("unable to decrypt backup header: wrong passphrase?");
  }
  return JSON.parse(text);
}

function isMarked({ folder }: ToolContext, vm: VmConfig): boolean {
  return getPreference(folder, vm, "include_in_backups")?.value === "True";
}

/** A path inside of the VM with the disk, or of dom0. */
function placeOf({ folder }: ToolContext, args: ToolArgs, path: string): string {
  const vm = args.value("--dest-vm");
  return `${vm === undefined ? worldPaths(folder).dom0Root : vmPaths(folder, vm).root}${path}`;
}

function passphraseOf({ folder }: ToolContext, args: ToolArgs): string {
  const path = args.value("--passphrase-file");
  if (path === undefined) throw new ToolRuntimeError("nobody is here to type a passphrase");
  try {
    const text = Deno.readTextFileSync(`${worldPaths(folder).dom0Root}${path}`);
    return text.split("\n")[0]?.trimEnd() ?? "";
  } catch {
    throw new ToolRuntimeError(`[Errno 2] No such file or directory: '${path}'`);
  }
}

function macOf(passphrase: string, text: string): string {
  return createHmac("sha256", passphrase).update(text).digest("hex");
}

function freeName(name: string, taken: ReadonlySet<string>): string {
  for (let number = 1; taken.has(name); number++) name = `${name.replace(/\d+$/, "")}${number}`;
  return name;
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

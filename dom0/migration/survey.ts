// SPDX-License-Identifier: GPL-2.0-or-later
/** Looks for the original in dom0. Changes nothing. @module */

import { exists, ifPresent, readPrivate, readSmallText } from "../../shared/io/files.ts";
import { errorText, UserError } from "../../shared/cli/program.ts";
import { MAX_KEY_FILE_BYTES, parseAuthKey } from "../../shared/protocol/auth_key.ts";
import { printable } from "../../shared/protocol/printable.ts";
import { ProtocolError } from "../../shared/protocol/refusal.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import { AbsentProgram } from "../../shared/io/run_tool.ts";
import type { Tools } from "../../shared/setup/tools.ts";
import { UNIT as DAEMON_UNIT } from "../operator/service.ts";
import { readDaemonState } from "../daemon/state_file.ts";
import { requireVm } from "../operator/require_vm.ts";
import { grantFileName } from "../policy/grant_file.ts";
import { parsePolicy } from "../policy/parse_policy.ts";
import { readPolicyFolder } from "../policy/policy_folder.ts";
import type { Rule } from "../policy/rule.ts";
import { parseConfig } from "../settings/config.ts";
import { createKeyStore } from "../settings/key_store.ts";
import type { Paths } from "../settings/paths.ts";
import { MAX_CONFIG_BYTES } from "../settings/settings.ts";
import { record } from "./fact.ts";
import type { Found, FoundKey, FoundUnit, FoundWebPolicy, UnitOwner } from "./found.ts";
import {
  isOriginalProgram,
  isOriginalUnit,
  type OriginalEntry,
  originalPlaces,
  type OriginalUnit,
  savedPath,
} from "./original.ts";
import { isInTheWay } from "./plan.ts";

const MAX_FILE_BYTES = 1024 * 1024;

export async function surveyOriginal(paths: Paths, tools: Tools): Promise<Found> {
  const { root } = paths.installation;
  const original = originalPlaces(root);
  const units = await Promise.all(original.units.map((unit) => lookAtUnit(unit, tools)));
  const entries = await pathsWhere(original.entries, isOriginalEntry);
  const changing = [
    ...units.filter(isInTheWay).map(({ file }) => file),
    ...entries,
  ];
  const daemon = units.find(({ unit }) => unit === DAEMON_UNIT);
  const config = await readConfig(paths);
  const { rules, policyFault } = await readRules(paths);
  const isThere = (path: string): Promise<boolean> => exists(path);
  return {
    units,
    entries,
    inTheWay: await filtered(changing.map(savedPath), isThere),
    config,
    keyFolder: paths.keyFolder,
    keys: await readKeys(paths, config.vms, rules),
    policyFault,
    pythonPrograms: await filtered(original.sharedPrograms, isPython),
    otherPrograms: await filtered(original.otherPrograms, isThere),
    byHand: await startedByHand(root, tools),
    ownRuns: await readDaemonState(paths) !== undefined,
    underWay: daemon?.owner === "original" && daemon.isActive ? await workFiles(paths) : [],
    webPolicy: await readWebPolicy(original.webPolicy, original.webElevated),
    otherFiles: await filtered([original.webOpenclaw], isThere),
    log: await lookAtLog(paths),
    entriesOfRecord: await record.read(paths.migrationFile),
  };
}

async function lookAtUnit(unit: OriginalUnit, tools: Tools): Promise<FoundUnit> {
  const dropIns = `${unit.file}.d`;
  return {
    ...unit,
    owner: await ownerOf(unit.file),
    ...await unitState(unit.unit, tools),
    dropIns: await exists(dropIns) ? dropIns : null,
  };
}

async function ownerOf(file: string): Promise<UnitOwner> {
  const info = await ifPresent(Deno.lstat(file));
  if (info === undefined) return "nobody";
  if (info.isSymlink) return await Deno.readLink(file) === "/dev/null" ? "mask" : "other";
  if (file.endsWith(".timer")) return "original"; // this project has none of that name
  const text = await readSmallText(file, MAX_FILE_BYTES);
  return isOriginalUnit(text) ? "original" : "other";
}

/** Also of a unit that systemd is about to start again. */
export async function unitState(
  unit: string,
  tools: Tools,
): Promise<Pick<FoundUnit, "isActive" | "isEnabled">> {
  const [active, enabled] = [
    await tools.run({ argv: ["systemctl", "is-active", unit] }),
    await tools.run({ argv: ["systemctl", "is-enabled", unit] }),
  ];
  return {
    isActive: ["active", "activating", "reloading"].includes(active.stdout.trim()),
    isEnabled: enabled.stdout.trim() === "enabled",
  };
}

async function pathsWhere(
  entries: readonly OriginalEntry[],
  fits: (entry: OriginalEntry) => Promise<boolean>,
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const entry of entries) {
    if (await fits(entry)) found.push(entry.path);
  }
  return found;
}

async function isOriginalEntry({ path, exec }: OriginalEntry): Promise<boolean> {
  const text = await ifPresent(readSmallText(path, MAX_FILE_BYTES));
  return text !== undefined && `\n${text}\n`.includes(`\n${exec}`);
}

async function filtered(
  paths: readonly string[],
  fits: (path: string) => Promise<boolean>,
): Promise<readonly string[]> {
  const fit = await Promise.all(paths.map(fits));
  return paths.filter((_, i) => fit[i]);
}

/** Whether a program is the original's: the first line says so. */
export async function isPython(path: string): Promise<boolean> {
  const file = await ifPresent(Deno.open(path, { read: true }));
  if (file === undefined) return false;
  using _ = file;
  const bytes = new Uint8Array(64);
  const length = await file.read(bytes) ?? 0;
  return isOriginalProgram(new TextDecoder().decode(bytes.subarray(0, length)));
}

async function readConfig({ config: path }: Paths): Promise<Found["config"]> {
  try {
    const text = await ifPresent(readSmallText(path, MAX_CONFIG_BYTES));
    const { config, problems } = parseConfig(text ?? "");
    return { path, isThere: text !== undefined, vms: config.vms, problems };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { path, isThere: true, vms: [], problems: [{ line: 0, text: error.message }] };
  }
}

async function readRules(
  { policyFolder }: Paths,
): Promise<{ readonly rules: readonly Rule[]; readonly policyFault: string | null }> {
  try {
    const files = await readPolicyFolder(policyFolder, Deno.uid());
    return { rules: parsePolicy(files), policyFault: null };
  } catch (error) {
    return { rules: [], policyFault: errorText(error) };
  }
}

async function readKeys(
  { keyFolder, policyFolder }: Paths,
  listed: readonly VmName[],
  rules: readonly Rule[],
): Promise<readonly FoundKey[]> {
  const keys: FoundKey[] = [];
  for (const vm of await createKeyStore(keyFolder).list()) {
    keys.push({
      vm,
      isListed: listed.includes(vm),
      ...await readFingerprint(`${keyFolder}/${vm}.key`),
      isVm: await isQube(vm),
      hasRules: await exists(`${policyFolder}/${grantFileName(vm)}`) ||
        rules.some(({ source }) => source.kind === "one" && source.name === vm),
    });
  }
  return keys;
}

async function readFingerprint(path: string): Promise<Pick<FoundKey, "fingerprint" | "fault">> {
  try {
    const { fingerprint } = await parseAuthKey(await readPrivate(path, MAX_KEY_FILE_BYTES));
    return { fingerprint, fault: null };
  } catch (error) {
    if (error instanceof ProtocolError) {
      return { fingerprint: null, fault: "it is no key: 64 lower-case hex digits" };
    }
    if (!(error instanceof UserError)) throw error;
    return { fingerprint: null, fault: error.message };
  }
}

async function isQube(vm: VmName): Promise<boolean> {
  try {
    await requireVm(vm);
    return true;
  } catch (error) {
    if (error instanceof UserError) return false;
    throw error;
  }
}

async function lookAtLog({ logFile: path }: Paths): Promise<Found["log"]> {
  const info = await ifPresent(Deno.lstat(path));
  return info?.isFile ? { path, mode: (info.mode ?? 0) & 0o777 } : null;
}

/** Daemons of the original beside the one that systemd keeps. */
async function startedByHand(root: string, tools: Tools): Promise<readonly number[]> {
  const program = `${root}/usr/bin/qvm-remote-dom0`.replace(/[.+]/g, "\\$&");
  try {
    const pattern = `^([^ ]*/)?python[0-9.]* ${program}$`;
    const found = await tools.run({ argv: ["pgrep", "--full", pattern] });
    const pids = found.stdout.split("\n").filter((line) => line !== "").map(Number);
    if (pids.length === 0) return [];
    const argv = ["systemctl", "show", "--property=MainPID", "--value", DAEMON_UNIT] as const;
    const main = Number((await tools.run({ argv })).stdout);
    return pids.filter((pid) => pid !== main);
  } catch (error) {
    if (error instanceof AbsentProgram) return [];
    throw error;
  }
}

/** The original writes a script for each command while it runs. */
async function workFiles({ runFolder }: Paths): Promise<readonly string[]> {
  const entries = await ifPresent(Array.fromAsync(Deno.readDir(runFolder))) ?? [];
  return entries.filter(({ name }) => name.endsWith(".sh"))
    .map(({ name }) => name.slice(0, -".sh".length)).sort();
}

async function readWebPolicy(path: string, elevated: string): Promise<FoundWebPolicy | null> {
  const text = await ifPresent(readSmallText(path, MAX_FILE_BYTES));
  const isElevated = await exists(elevated);
  if (text === undefined) return isElevated ? { path: elevated, levels: null, isElevated } : null;
  try {
    const { dom0 = "deny", default: others = "monitor", vms = {}, blocked_commands = [] } = JSON
      .parse(text);
    const levels = `dom0: ${printable(String(dom0))}, other VMs: ${printable(String(others))}, ` +
      `VMs by name: ${Object.keys(vms).length}, blocked texts: ${blocked_commands.length}`;
    return { path, levels, isElevated: isElevated || dom0 === "full" && others === "full" };
  } catch {
    return { path, levels: null, isElevated };
  }
}

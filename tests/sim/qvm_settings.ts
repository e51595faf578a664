// SPDX-License-Identifier: GPL-2.0-or-later
/** qvm-prefs, qvm-tags, qvm-features, qvm-service and qubes-prefs. @module */
import { parseToolArgs, ToolRuntimeError, ToolUsageError } from "./tool_args.ts";
import { allDomains, DOM0, oneDomain, type ToolContext } from "./tool_context.ts";
import { formatTable } from "./tool_table.ts";
import { getPreference, type Preference, propertyNames, withPreference } from "./vm_prefs.ts";
import { changeVm, readWorld, type VmConfig } from "./world_config.ts";

const PREFS_OPTIONS = [
  ["--get -g", "flag"],
  ["--set -s", "flag"],
  ["--hide-default", "flag"],
  ["--default -D", "flag"],
] as const;
const NO_VM_WORDS: ReadonlySet<string> = new Set(["default_dispvm", "netvm", "template", "guivm"]);
/** Global properties scripts ask for. */
const GLOBAL = ["clockvm", "default_netvm", "default_template", "updatevm"];

/** Shows or changes properties of a VM. */
export async function qvmPrefs(context: ToolContext): Promise<number> {
  const args = parseToolArgs(context.args, PREFS_OPTIONS);
  const [vmName, writtenName, written, extra] = args.words;
  expectNoMore(extra);
  const vm = oneDomain(context, vmName);
  const list = propertyNames().flatMap((name) => getPreference(context.folder, vm, name) ?? []);
  if (writtenName === undefined) return listPrefs(context, list, args.has("--hide-default"));
  const name = writtenName.replaceAll("-", "_");
  const current = list.find((property) => property.name === name);
  if (current === undefined) throw new ToolUsageError(`no such property: '${name}'`);
  if (written === undefined && !args.has("--default")) return showPref(context, current);
  const isNone = written?.toLowerCase() === "none" && NO_VM_WORDS.has(name);
  await change(context, vm, (now) => {
    const known = allDomains(readWorld(context.folder));
    return withPreference(context.folder, known, now, name, isNone ? "" : written);
  });
  return 0;
}

/** Shows global properties. */
export function qubesPrefs(context: ToolContext): number {
  const args = parseToolArgs(context.args, PREFS_OPTIONS);
  const [name] = args.words;
  const set = readWorld(context.folder).globals ?? {};
  const list = GLOBAL.map((property): Preference => ({
    name: property,
    value: set[property] ?? "",
    isDefault: set[property] === undefined,
  }));
  if (name === undefined) return listPrefs(context, list, args.has("--hide-default"));
  const current = list.find((property) => property.name === name.replaceAll("-", "_"));
  if (current === undefined) throw new ToolUsageError(`no such property: '${name}'`);
  return showPref(context, current);
}

/** Lists, queries, adds or removes tags. */
export async function qvmTags(context: ToolContext): Promise<number> {
  const { words: [vmName, command = "list", ...tags] } = parseToolArgs(context.args, []);
  const vm = oneDomain(context, vmName);
  const [tag] = tags;
  switch (command) {
    case "list":
    case "ls":
    case "l":
      if (tag !== undefined && !vm.tags.includes(tag)) return 1;
      for (const one of tag === undefined ? [...vm.tags].sort() : [tag]) context.out(`${one}\n`);
      return 0;
    case "add":
    case "a":
    case "set":
      if (tag === undefined) break;
      if (!tags.every((one) => /^[A-Za-z0-9_-]+$/.test(one))) {
        throw new ToolRuntimeError("Tag name contains illegal characters");
      }
      await change(context, vm, (now) => ({ ...now, tags: [...new Set([...now.tags, ...tags])] }));
      return 0;
    case "del":
    case "d":
    case "unset":
    case "u":
      if (tag === undefined) break;
      expectNoMore(tags[1]);
      await change(context, vm, (now) => ({
        ...now,
        tags: now.tags.filter((other) => other !== tag),
      }));
      return 0;
    default:
      throw new ToolUsageError(
        `argument command: invalid choice: '${command}' (choose from list, add, del)`,
      );
  }
  throw new ToolUsageError("the following arguments are required: tag");
}

/** Shows or changes features of a VM. @returns 1 if the one asked for is not set. */
export async function qvmFeatures(context: ToolContext): Promise<number> {
  const args = parseToolArgs(context.args, [["--unset --default --delete -D", "flag"]]);
  const [vmName, feature, value, extra] = args.words;
  expectNoMore(extra);
  const vm = oneDomain(context, vmName);
  if (feature === undefined) {
    if (args.has("--unset")) throw new ToolUsageError("--unset requires a feature");
    context.out(formatTable(Object.entries(vm.features)));
    return 0;
  }
  if (args.has("--unset")) {
    if (value !== undefined) throw new ToolUsageError("cannot both set and unset a value");
    await setFeature(context, vm, feature, undefined);
    return 0;
  }
  if (value !== undefined) {
    await setFeature(context, vm, feature, value);
    return 0;
  }
  const current = vm.features[feature];
  if (current === undefined) return 1;
  context.out(`${current}\n`);
  return 0;
}

/** Shows or changes services of a VM, which are features with a prefix. */
export async function qvmService(context: ToolContext): Promise<number> {
  const args = parseToolArgs(context.args, [
    ["--unset --default --delete -D", "flag"],
    ["--list -l", "flag"],
    ["--enable -e", "flag"],
    ["--disable -d", "flag"],
  ]);
  const [vmName, service, written, extra] = args.words;
  expectNoMore(extra);
  const vm = oneDomain(context, vmName);
  const onOff = (value: string) => value === "" ? "off" : "on";
  if (service === undefined) {
    const rows = Object.entries(vm.features).filter(([name]) => name.startsWith("service."))
      .map(([name, value]) => [name.slice("service.".length), onOff(value)]);
    context.out(formatTable(rows));
    return 0;
  }
  const feature = `service.${service}`;
  if (args.has("--unset")) {
    if (written !== undefined) throw new ToolUsageError("cannot both set and unset a value");
    await setFeature(context, vm, feature, undefined);
    return 0;
  }
  const value = args.has("--enable") ? "1" : args.has("--disable") ? "0" : written;
  if (value !== undefined) {
    const isOn = ["1", "yes", "true", "on"].includes(value.toLowerCase());
    if (!isOn && !["0", "no", "false", "off"].includes(value.toLowerCase())) {
      throw new ToolRuntimeError(`Invalid literal for boolean value: '${value}'`);
    }
    await setFeature(context, vm, feature, isOn ? "1" : "");
    return 0;
  }
  const current = vm.features[feature];
  if (current === undefined) return 1;
  context.out(`${onOff(current)}\n`);
  return 0;
}

function listPrefs(context: ToolContext, list: readonly Preference[], hide: boolean): number {
  const width = Math.max(...list.map((property) => property.name.length));
  for (const { name, value, isDefault } of list) {
    if (hide && isDefault) continue;
    context.out(`${name.padEnd(width)}  ${isDefault ? "D" : "-"}  ${value || "None"}\n`);
  }
  return 0;
}

/** A property without a value prints nothing. */
function showPref(context: ToolContext, property: Preference): number {
  if (property.value !== "") context.out(`${property.value}\n`);
  return 0;
}

function expectNoMore(extra: string | undefined): void {
  if (extra !== undefined) throw new ToolUsageError(`unrecognized arguments: ${extra}`);
}

async function setFeature(
  context: ToolContext,
  vm: VmConfig,
  feature: string,
  value: string | undefined,
): Promise<void> {
  await change(context, vm, (now) => {
    const { [feature]: _, ...others } = now.features;
    return { ...now, features: value === undefined ? others : { ...others, [feature]: value } };
  });
}

async function change(
  context: ToolContext,
  vm: VmConfig,
  apply: (now: VmConfig) => VmConfig,
): Promise<void> {
  if (vm.name === DOM0.name) throw new ToolRuntimeError("the simulated dom0 cannot be changed");
  try {
    await changeVm(context.folder, vm.name, apply);
  } catch (error) {
    throw new ToolRuntimeError(error instanceof Error ? error.message : String(error));
  }
}

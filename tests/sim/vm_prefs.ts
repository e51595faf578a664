// SPDX-License-Identifier: GPL-2.0-or-later
/** The properties of VMs: which there are, and which values they take. @module */
import { stateOf, xidOf } from "./tool_context.ts";
import { readDomain } from "./vm_domain.ts";
import { readWorld, type VmConfig } from "./world_config.ts";

/** A property with its value, as `qvm-prefs VM` lists it. */
export interface Preference {
  readonly name: string;
  readonly value: string;
  readonly isDefault: boolean;
}

type Kind = "bool" | "int" | "text" | "vm" | "ip" | "fixed";

/** A part of the properties of qubesd, with the defaults of an AppVM. */
const PROPERTIES: ReadonlyMap<string, readonly [kind: Kind, initial: string]> = new Map([
  ["autostart", ["bool", "False"]],
  ["debug", ["bool", "False"]],
  ["default_dispvm", ["vm", ""]],
  ["default_user", ["text", "user"]],
  ["guivm", ["vm", "dom0"]],
  ["include_in_backups", ["bool", "True"]],
  ["ip", ["ip", ""]],
  ["klass", ["fixed", ""]],
  ["label", ["text", ""]],
  ["maxmem", ["int", "4000"]],
  ["memory", ["int", "400"]],
  ["name", ["fixed", ""]],
  ["netvm", ["vm", ""]],
  ["provides_network", ["bool", "False"]],
  ["qrexec_timeout", ["int", "60"]],
  ["shutdown_timeout", ["int", "60"]],
  ["start_time", ["fixed", ""]],
  ["template", ["vm", ""]],
  ["updateable", ["fixed", "False"]],
  ["vcpus", ["int", "2"]],
  ["virt_mode", ["text", "pvh"]],
  ["xid", ["fixed", ""]],
]);
const TRUE: ReadonlySet<string> = new Set(["1", "yes", "true", "on"]);
const FALSE: ReadonlySet<string> = new Set(["0", "no", "false", "off"]);

/** @returns the names of all properties. */
export function propertyNames(): string[] {
  return [...PROPERTIES.keys()];
}

/** @returns the property, or undefined if there is none of that name. */
export function getPreference(folder: string, vm: VmConfig, name: string): Preference | undefined {
  const [, initial] = PROPERTIES.get(name) ?? [];
  if (initial === undefined) return undefined;
  const world = readWorld(folder);
  const defaults: Readonly<Record<string, string>> = {
    // Real ones are made of the qid, which counts the VMs that were ever created.
    ip: `10.137.0.${world.vms.findIndex((other) => other.name === vm.name) + 5}`,
    // Templates have no network of their own.
    netvm: vm.klass === "TemplateVM" ? "" : world.globals?.["default_netvm"] ?? "",
  };
  const computed: Readonly<Record<string, string>> = {
    name: vm.name,
    klass: vm.klass,
    label: vm.label,
    // Seconds; qubesd reads it from xenstore, where a qube that is off has none.
    start_time: startTimeOf(folder, vm.name),
    xid: String(xidOf(folder, vm.name)),
    updateable: vm.klass === "TemplateVM" || vm.klass === "StandaloneVM" ? "True" : "False",
  };
  const set = vm.prefs[name];
  return {
    name,
    value: computed[name] ?? set ?? defaults[name] ?? initial,
    isDefault: set === undefined,
  };
}

/**
 * The VM with a property set, or reset where `value` is undefined.
 * @throws {Error} in the words of qubesd
 */
export function withPreference(
  folder: string,
  known: readonly VmConfig[],
  vm: VmConfig,
  name: string,
  value: string | undefined,
): VmConfig {
  const [kind] = PROPERTIES.get(name) ?? ["fixed"];
  if (kind === "fixed") throw new Error(`Property '${name}' cannot be set`);
  if (name === "label" && value !== undefined) return { ...vm, label: value };
  const { [name]: _, ...others } = vm.prefs;
  if (value === undefined) return { ...vm, prefs: others };
  if (kind === "vm" && value !== "" && !known.some((other) => other.name === value)) {
    throw new Error(`No such domain: '${value}'`);
  }
  const target = known.find((other) => other.name === value);
  if (name === "netvm" && target !== undefined && target.prefs["provides_network"] !== "True") {
    throw new Error(`The '${value}' qube does not provide network`);
  }
  if (kind === "ip" && !/^(\d{1,3}\.){3}\d{1,3}$/.test(value)) {
    throw new Error(`Invalid IP address: '${value}'`);
  }
  if (kind === "int" && !/^\d+$/.test(value)) {
    throw new Error(`invalid literal for int() with base 10: '${value}'`);
  }
  if (name === "template" && stateOf(folder, vm.name) !== "Halted") {
    throw new Error("Cannot change template while qube is running");
  }
  return { ...vm, prefs: { ...others, [name]: kind === "bool" ? boolean(value) : value } };
}

function startTimeOf(folder: string, name: string): string {
  const startedAtMs = readDomain(folder, name)?.startedAtMs;
  return startedAtMs === undefined ? "" : (startedAtMs / 1000).toFixed(1);
}

function boolean(value: string): string {
  const lower = value.toLowerCase();
  if (TRUE.has(lower)) return "True";
  if (FALSE.has(lower)) return "False";
  throw new Error(`Invalid literal for boolean property: '${value}'`);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** What a qvm-* program works with, and how it names VMs. @module */
import { type ToolArgs, ToolUsageError } from "./tool_args.ts";
import { type PowerState, powerState, readDomain } from "./vm_domain.ts";
import { readWorld, type VmConfig, type WorldConfig } from "./world_config.ts";

/** One run of a program. */
export interface ToolContext {
  readonly folder: string;
  /** The name it was called by. */
  readonly program: string;
  readonly args: readonly string[];
  out(text: string): void;
  err(text: string): void;
}

/** A program: returns its exit code. */
export type Tool = (context: ToolContext) => number | Promise<number>;

/** dom0 itself, which is no VM of the world but has a place in every list. */
export const DOM0: VmConfig = {
  name: "dom0",
  klass: "AdminVM",
  label: "black",
  tags: [],
  features: {},
  prefs: {},
  maxCalls: 0,
};

/** @returns dom0 and the VMs, sorted by name. */
export function allDomains(world: WorldConfig): VmConfig[] {
  return [DOM0, ...world.vms].sort((a, b) => a.name < b.name ? -1 : 1);
}

/** @returns the state of a VM or of dom0. */
export function stateOf(folder: string, name: string): PowerState {
  return name === DOM0.name ? "Running" : powerState(folder, name);
}

/** @returns the number Xen knows it by; -1 if it is halted, as qubesd says it. */
export function xidOf(folder: string, name: string): number {
  return name === DOM0.name ? 0 : readDomain(folder, name)?.xid ?? -1;
}

/** The one VM a program is about. @throws {ToolUsageError} */
export function oneDomain(context: ToolContext, name: string | undefined): VmConfig {
  if (name === undefined) {
    throw new ToolUsageError("the following arguments are required: VMNAME");
  }
  const domain = allDomains(readWorld(context.folder)).find((vm) => vm.name === name);
  if (domain === undefined) throw new ToolUsageError(`no such domain: '${name}'`);
  return domain;
}

/** The VMs named, by name, by pattern, or by --all and --exclude. @throws {ToolUsageError} */
export function namedDomains(context: ToolContext, args: ToolArgs): VmConfig[] {
  const known = allDomains(readWorld(context.folder));
  if (args.has("--all")) {
    if (args.words.length > 0) {
      throw new ToolUsageError("argument VMNAME: not allowed with argument --all");
    }
    const excluded = args.values("--exclude");
    return known.filter((vm) => vm.klass !== DOM0.klass && !excluded.includes(vm.name));
  }
  if (args.has("--exclude")) throw new ToolUsageError("--exclude can only be used with --all");
  const found = new Set<VmConfig>();
  for (const word of args.words) {
    const pattern = wildcard(word);
    const matches = known.filter((vm) => pattern?.test(vm.name) ?? vm.name === word);
    if (matches.length === 0 && pattern === undefined) {
      throw new ToolUsageError(`no such domain: '${word}'`);
    }
    for (const vm of matches) found.add(vm);
  }
  return [...found];
}

/** As `namedDomains`, for programs that do nothing without a name. */
export function requiredDomains(context: ToolContext, args: ToolArgs): VmConfig[] {
  if (args.words.length === 0 && !args.has("--all")) {
    throw new ToolUsageError("one of the arguments --all VMNAME is required");
  }
  return namedDomains(context, args);
}

/** @returns the pattern of a word with wildcards of the shell, undefined for a plain name. */
function wildcard(word: string): RegExp | undefined {
  if (!/[*?[\]]/.test(word)) return undefined;
  const pattern = word.replace(/[.+^${}()|\\]/g, "\\$&").replaceAll("*", ".*").replaceAll("?", ".")
    .replaceAll("[!", "[^");
  return new RegExp(`^${pattern}$`);
}

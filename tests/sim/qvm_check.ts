// SPDX-License-Identifier: GPL-2.0-or-later
/** qvm-check: does a VM exist, and is it in a state? @module */
import { parseToolArgs } from "./tool_args.ts";
import { allDomains, stateOf, type ToolContext } from "./tool_context.ts";
import { ToolUsageError } from "./tool_args.ts";
import { readWorld, type VmConfig } from "./world_config.ts";

const EXIT_NONE = 1;
const EXIT_SOME = 3;

/** @returns 0 if all are, 1 if none is or one does not exist, 3 if only some are. */
export function qvmCheck(context: ToolContext): number {
  const args = parseToolArgs(context.args, [
    ["--running", "flag"],
    ["--paused", "flag"],
    ["--template", "flag"],
    ["--networked", "flag"],
    ["--all", "flag"],
    ["--exclude", "append"],
  ]);
  if (args.words.length === 0 && !args.has("--all")) {
    throw new ToolUsageError("one of the arguments --all VMNAME is required");
  }
  const known = allDomains(readWorld(context.folder));
  const domains = args.has("--all")
    ? known.filter((vm) => vm.klass !== "AdminVM" && !args.values("--exclude").includes(vm.name))
    : known.filter((vm) => args.words.includes(vm.name));
  const unknown = args.has("--all")
    ? []
    : args.words.filter((word) => !known.some((vm) => vm.name === word));
  const info = (text: string) => args.has("--quiet") || context.err(`qvm-check: ${text}\n`);

  const filters = FILTERS.filter(([name]) => args.has(`--${name}`));
  let code = 0;
  if (filters.length === 0) {
    if (domains.length === 0) code = EXIT_NONE;
    else report(domains, "exists", info);
  } else {
    const kept = domains.filter((vm) => filters.every(([, holds]) => holds(context.folder, vm)));
    if (kept.length < domains.length) code = kept.length === 0 ? EXIT_NONE : EXIT_SOME;
    report(kept, filters.map(([name]) => name).join(", "), info);
  }
  for (const name of unknown) {
    // A warning: Python's logging prints it even where -q has turned logging off.
    context.err(`${args.has("--quiet") ? "" : "qvm-check: "}${name}: non-existent!\n`);
    code = EXIT_NONE;
  }
  return code;
}

const FILTERS: readonly (readonly [string, (folder: string, vm: VmConfig) => boolean])[] = [
  ["running", (folder, vm) => stateOf(folder, vm.name) !== "Halted"],
  ["paused", (folder, vm) => stateOf(folder, vm.name) === "Paused"],
  ["template", (_, vm) => vm.klass === "TemplateVM"],
  ["networked", (_, vm) => (vm.prefs["netvm"] ?? "") !== ""],
];

function report(domains: readonly VmConfig[], status: string, info: (text: string) => void): void {
  if (domains.length === 0) info(`None of qubes: ${status}`);
  for (const vm of domains) info(`${vm.name}: ${status}`);
}

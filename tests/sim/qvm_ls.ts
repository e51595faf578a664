// SPDX-License-Identifier: GPL-2.0-or-later
/** qvm-ls: lists VMs, as a table or for scripts. @module */
import { parseToolArgs, type ToolArgs, ToolUsageError } from "./tool_args.ts";
import { allDomains, namedDomains, stateOf, type ToolContext, xidOf } from "./tool_context.ts";
import { getPreference, propertyNames } from "./vm_prefs.ts";
import { readWorld, type VmConfig } from "./world_config.ts";
import { formatTable } from "./tool_table.ts";

const FORMATS: ReadonlyMap<string, string> = new Map([
  ["simple", "name,state,class,label,template,netvm"],
  ["full", "name,state,class,label,qid,xid,uuid"],
  ["prefs", "name,label,template,netvm,vcpus,memory,maxmem,virt_mode"],
]);

/** @returns 0, or throws a usage error. */
export function qvmLs(context: ToolContext): number {
  const args = parseToolArgs(context.args, [
    ["--format -o", "value"],
    ["--fields -O", "value"],
    ["--raw-data", "flag"],
    ["--raw-list", "flag"],
    ["--all", "flag"],
    ["--exclude", "append"],
    ["--class", "many"],
    ["--label", "many"],
    ["--tags", "many"],
    ["--exclude-tags", "many"],
    ["--running", "flag"],
    ["--paused", "flag"],
    ["--halted", "flag"],
    ["--spinner", "flag"],
    ["--no-spinner", "flag"],
  ]);
  const columns = chooseColumns(args);
  const domains = chooseDomains(context, args);
  const rows = domains.map((vm) => columns.map((column) => cell(context.folder, vm, column)));
  if (args.has("--raw-data") || args.has("--raw-list")) {
    for (const row of rows) context.out(`${row.join("|")}\n`);
  } else {
    context.out(formatTable([columns.map((column) => column.replaceAll("_", "-")), ...rows]));
  }
  return 0;
}

function chooseColumns(args: ToolArgs): string[] {
  if (args.has("--raw-list")) return ["NAME"];
  const format = args.value("--format") ?? "simple";
  const fields = args.value("--fields") ?? FORMATS.get(format);
  if (fields === undefined) {
    const choices = [...FORMATS.keys()].map((name) => `'${name}'`).join(", ");
    throw new ToolUsageError(
      `argument --format/-o: invalid choice: '${format}' (choose from ${choices})`,
    );
  }
  return fields.split(",").map((field) => field.trim().toUpperCase());
}

function chooseDomains(context: ToolContext, args: ToolArgs): VmConfig[] {
  const { folder } = context;
  const world = readWorld(folder);
  const named = args.has("--all")
    ? allDomains(world).filter((vm) => !args.values("--exclude").includes(vm.name)) // with dom0
    : args.words.length > 0
    ? namedDomains(context, args).sort((a, b) => a.name < b.name ? -1 : 1)
    : allDomains(world);
  const listed = (option: string, have: readonly string[]) =>
    have.some((value) => args.values(option).includes(value));
  const states = ["running", "paused", "halted"].filter((state) => args.has(`--${state}`));
  return named.filter((vm) =>
    (!args.has("--class") || listed("--class", [vm.klass])) &&
    (!args.has("--label") || listed("--label", [vm.label])) &&
    (!args.has("--tags") || listed("--tags", vm.tags)) &&
    (!args.has("--exclude-tags") || !listed("--exclude-tags", vm.tags)) &&
    (states.length === 0 || states.includes(stateOf(folder, vm.name).toLowerCase()))
  );
}

/** What there is nothing to say about is "-". */
function cell(folder: string, vm: VmConfig, column: string): string {
  switch (column) {
    case "STATE":
      return stateOf(folder, vm.name);
    case "CLASS":
      return vm.klass;
    case "XID":
      return String(xidOf(folder, vm.name));
    case "TAGS":
      return vm.tags.join(",") || "-";
    default: {
      const name = column.toLowerCase().replaceAll("-", "_");
      const isOfDom0 = vm.klass !== "AdminVM" || ["name", "label"].includes(name);
      if (!isOfDom0 || !propertyNames().includes(name)) return "-";
      return getPreference(folder, vm, name)?.value || "-";
    }
  }
}

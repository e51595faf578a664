// SPDX-License-Identifier: GPL-2.0-or-later
/** qvm-firewall: the rules of a VM, as the Admin API writes them. @module */
import { parseToolArgs, type ToolArgs, ToolUsageError } from "./tool_args.ts";
import { oneDomain, type ToolContext } from "./tool_context.ts";
import { formatTable } from "./tool_table.ts";
import { changeVm, type VmConfig } from "./world_config.ts";

const ACCEPT_ALL = "action=accept";
const ORDER = ["action", "dsthost", "proto", "dstports", "icmptype"];
const KEYS = [...ORDER, "specialtarget", "comment", "expire"];

/** @returns the rules, the default where none were set. */
export function firewallRules(vm: VmConfig): readonly string[] {
  return vm.firewall ?? [ACCEPT_ALL];
}

/** Lists, adds, removes rules, or removes them all. */
export async function qvmFirewall(context: ToolContext): Promise<number> {
  const args = parseToolArgs(context.args, [
    ["--reload -r", "flag"],
    ["--raw", "flag"],
    ["--before", "value"],
    ["--rule-no", "value"],
  ]);
  const [vmName, command, ...words] = args.words;
  const vm = oneDomain(context, vmName);
  checkOptions(args, command);
  const rules = firewallRules(vm);
  const set = (firewall: readonly string[]) =>
    changeVm(context.folder, vm.name, (now) => ({ ...now, firewall }));
  switch (command) {
    case undefined:
    case "list":
      if (args.has("--raw")) context.out(rules.map((rule) => `${rule}\n`).join(""));
      else context.out(formatTable([["NO", "RULE"], ...rules.map((rule, no) => [`${no}`, rule])]));
      return 0;
    case "reset":
      await set([ACCEPT_ALL]);
      return 0;
    case "add":
      await set(rules.toSpliced(position(args, "--before", rules.length), 0, parseRule(words)));
      return 0;
    case "del": {
      const no = args.has("--rule-no")
        ? position(args, "--rule-no", 0)
        : rules.indexOf(parseRule(words));
      if (no < 0 || no >= rules.length) return 1; // an uncaught IndexError or ValueError
      await set(rules.toSpliced(no, 1));
      return 0;
    }
    default:
      throw new ToolUsageError(
        `argument command: invalid choice: '${command}' (choose from add, del, list, reset)`,
      );
  }
}

/** Options of one command are unknown to the others. */
function checkOptions(args: ToolArgs, command: string | undefined): void {
  if (args.has("--before") && command !== "add") {
    throw new ToolUsageError("unrecognized arguments: --before");
  }
  if (args.has("--rule-no") && command !== "del") {
    throw new ToolUsageError("unrecognized arguments: --rule-no");
  }
}

function position(args: ToolArgs, option: string, otherwise: number): number {
  const text = args.value(option);
  if (text === undefined) return otherwise;
  if (!/^-?\d+$/.test(text)) {
    throw new ToolUsageError(`argument ${option}: invalid int value: '${text}'`);
  }
  return Number(text);
}

/** A part of the rules: the values are not looked at beyond the action. */
function parseRule(words: readonly string[]): string {
  if (words.length === 0) throw new ToolUsageError("the following arguments are required: match");
  const open = [...ORDER];
  const found = new Map<string, string>();
  for (const word of words) {
    const [first = "", second] = word.split("=");
    const key = second === undefined ? open[0] ?? "" : first;
    if (!KEYS.includes(key)) throw new ToolUsageError(`Invalid rule element: ${word}`);
    found.set(key, second ?? first);
    if (open.includes(key)) open.splice(open.indexOf(key), 1);
  }
  if (!["accept", "drop"].includes(found.get("action") ?? "")) {
    throw new ToolUsageError("missing action=");
  }
  return KEYS.filter((key) => found.has(key)).map((key) => `${key}=${found.get(key)}`).join(" ");
}

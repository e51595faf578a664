// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * systemctl of the simulated dom0: it knows which units are enabled and active, and starts
 * nothing. A unit is there when its file is in etc/systemd/system or usr/lib/systemd/system.
 *
 * @module
 */
import { readTextIfAny, writeByRename } from "./files.ts";
import { worldPaths } from "./layout.ts";
import { ToolRuntimeError } from "./tool_args.ts";
import type { ToolContext } from "./tool_context.ts";

interface Unit {
  readonly enabled: boolean;
  readonly active: boolean;
}

type Units = Readonly<Record<string, Unit>>;

const EXIT_INACTIVE = 3;
const EXIT_NO_UNIT_FILE = 4;
const EXIT_NOT_FOUND = 5;

/** What systemd knows of the units that were ever touched. */
export function unitStates(folder: string): Units {
  return JSON.parse(readTextIfAny(statesFile(folder)) ?? "{}");
}

const statesFile = (folder: string): string => `${folder}/systemd.json`;

export function systemctl(context: ToolContext): number {
  const words = context.args.filter((arg) => !arg.startsWith("-"));
  if (words.length === 1 && words[0] === "daemon-reload") return 0;
  const [verb = "", first, ...others] = words;
  if (["start", "stop"].includes(verb) && first !== undefined && others.length > 0) {
    const flags = context.args.filter((arg) => arg.startsWith("-"));
    const codes = [first, ...others].map((unit) =>
      systemctlOne({ ...context, args: [...flags, verb, unit] })
    );
    return Math.max(...codes);
  }
  return systemctlOne(context);
}

function systemctlOne(context: ToolContext): number {
  const flags = context.args.filter((arg) => arg.startsWith("-"));
  const unknown = flags.find((flag) => !["--now", "--no-block", "--quiet", "-q"].includes(flag));
  if (unknown !== undefined) {
    throw new ToolRuntimeError(`unrecognized option '${unknown}'`);
  }
  const [verb = "", unit, extra] = context.args.filter((arg) => !arg.startsWith("-"));
  if (unit === undefined || extra !== undefined) throw new ToolRuntimeError("one unit, please");
  const { dom0Root } = worldPaths(context.folder);
  const [own, shipped] = ["etc", "usr/lib"].map((at) => `${dom0Root}/${at}/systemd/system/${unit}`);
  const file = readTextIfAny(own ?? "") === undefined ? shipped ?? "" : own ?? "";
  const text = readTextIfAny(file);
  const states = unitStates(context.folder);
  const now = states[unit] ?? { enabled: false, active: false };
  const isQuiet = flags.some((flag) => flag === "--quiet" || flag === "-q");
  const say = (line: string) => isQuiet || context.out(`${line}\n`);
  const set = (change: Partial<Unit>): number => {
    const changed = { ...states, [unit]: { ...now, ...change } };
    writeByRename(statesFile(context.folder), JSON.stringify(changed));
    return 0;
  };
  const complain = (line: string, code: number): number => {
    context.err(`${line}\n`);
    return code;
  };
  const both = flags.includes("--now");
  switch (verb) {
    case "cat":
      if (text === undefined) return complain(`No files found for ${unit}.`, 1);
      context.out(`# ${file}\n${text}`);
      return 0;
    case "is-enabled":
      if (text === undefined) return complain("Failed to get unit file state", EXIT_NO_UNIT_FILE);
      say(now.enabled ? "enabled" : "disabled");
      return now.enabled ? 0 : 1;
    case "is-active":
      say(now.active ? "active" : "inactive");
      return now.active ? 0 : EXIT_INACTIVE;
    case "enable":
    case "disable": {
      if (text === undefined) return complain(`Unit file ${unit} does not exist.`, 1);
      const on = verb === "enable";
      return set(both ? { enabled: on, active: on } : { enabled: on });
    }
    case "start":
    case "stop":
    case "restart":
      if (text === undefined) return complain(`Unit ${unit} not found.`, EXIT_NOT_FOUND);
      return set({ active: verb !== "stop" });
    case "try-restart":
      if (text === undefined) return complain(`Unit ${unit} not found.`, EXIT_NOT_FOUND);
      return 0;
    default:
      throw new ToolRuntimeError(`Unknown command verb '${verb}', did you mean ...?`);
  }
}

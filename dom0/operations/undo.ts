// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What an operation changes, and how that is undone. Before it runs, another operation reads what is
 * there; the part that will change is kept, and the steps back are made from it. The same part, read
 * before and after, is what a person is shown.
 *
 * @module
 */

import type { JsonValue } from "./operation.ts";
import type { Value } from "./parameter.ts";
import type { Values } from "./spelling.ts";

/** One step of the way back: an operation of the table, by name, with its values. */
export interface Step {
  readonly operation: string;
  readonly values: Values;
}

export interface Change {
  /** The operation that reads the current state. Its parameters are among those of the changing one. */
  readonly reads: string;
  /** The part that will change, as a value that can be compared and shown. */
  readonly part: (read: JsonValue, values: Values) => JsonValue;
  /** The steps back to that part; none if there is nothing to do; null if there is no way back. */
  readonly back: (before: JsonValue, values: Values) => readonly Step[] | null;
}

type Record_ = { readonly [key: string]: JsonValue };

function step(operation: string, values: Readonly<Record<string, Value>>): Step {
  return { operation, values: new Map(Object.entries(values)) };
}

function text(values: Values, name: string): string {
  return String(values.get(name));
}

function record(value: JsonValue | undefined): Record_ {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record_;
  throw new Error("bug: not a record");
}

function list(value: JsonValue): readonly JsonValue[] {
  if (Array.isArray(value)) return value;
  throw new Error("bug: not a list");
}

/** A property of a qube, or of the system: its value, and whether that is the default. */
function property(family: "vm.prefs" | "system.prefs"): Change {
  return {
    reads: `${family}.list`,
    part: (read, values) => record(read)[text(values, "property")] ?? null,
    back(before, values) {
      if (before === null) return null; // no such property: it cannot have been set
      const { value, isDefault } = record(before);
      const which = own(values, ["vm", "property"]);
      if (isDefault === true) return [step(`${family}.reset`, which)];
      return typeof value === "string" ? [step(`${family}.set`, { ...which, value })] : null;
    },
  };
}

/** The values with these names, as far as there are any. */
function own(values: Values, names: readonly string[]): Record<string, Value> {
  return Object.fromEntries([...values].filter(([name]) => names.includes(name)));
}

const FEATURE: Change = {
  reads: "vm.features.list",
  part: (read, values) => record(read)[text(values, "feature")] ?? null,
  back(before, values) {
    const which = own(values, ["vm", "feature"]);
    return typeof before === "string"
      ? [step("vm.features.set", { ...which, value: before })]
      : [step("vm.features.reset", which)];
  },
};

const TAG: Change = {
  reads: "vm.tags.list",
  part: (read, values) => list(read).includes(text(values, "tag")),
  back(before, values) {
    const which = own(values, ["vm", "tag"]);
    return [step(before === true ? "vm.tags.add" : "vm.tags.remove", which)];
  },
};

const SERVICE: Change = {
  reads: "vm.services.list",
  part: (read, values) => record(read)[text(values, "service")] ?? null,
  back(before, values) {
    const verb = before === null ? "reset" : before === "on" ? "enable" : "disable";
    return [step(`vm.services.${verb}`, own(values, ["vm", "service"]))];
  },
};

const NOTES: Change = {
  reads: "vm.notes.get",
  part: (read) => read,
  back(before, values) {
    // An argument carries one line only.
    if (typeof before !== "string" || before.includes("\n")) return null;
    return [step("vm.notes.set", { vm: text(values, "vm"), notes: before })];
  },
};

/** Whether a qube runs, halts or is paused. */
const POWER: Change = {
  reads: "vm.info",
  part: (read) => record(list(read)[0] ?? {}).state ?? null,
  back(before, values) {
    const vm = text(values, "vm");
    if (before === "Running") return [step("vm.start", { vm, skip_if_running: true })];
    return before === "Halted" ? [step("vm.shutdown", { vm, wait: true })] : null;
  },
};

const PAUSE: Change = {
  ...POWER,
  back(before, values) {
    const vm = text(values, "vm");
    if (before === "Running") return [step("vm.unpause", { vm })];
    return before === "Paused" ? [step("vm.pause", { vm })] : null;
  },
};

/** All rules: the number of one means something only among all. */
const FIREWALL_ADD: Change = {
  reads: "vm.firewall.list",
  part: (read) => read,
  back(before, values) {
    const last = list(before).length;
    const at = values.get("before");
    const rule_no = typeof at === "number" && at < last ? at : last;
    return [step("vm.firewall.remove", { vm: text(values, "vm"), rule_no })];
  },
};

const FIREWALL_REMOVE: Change = {
  ...FIREWALL_ADD,
  back(before, values) {
    const rule_no = Number(values.get("rule_no"));
    const rule = list(before)[rule_no];
    if (rule === undefined) return [];
    const vm = text(values, "vm");
    const isLast = rule_no === list(before).length - 1;
    const where: Record<string, Value> = isLast ? {} : { before: rule_no };
    return [step("vm.firewall.add", { vm, ...where, ...ruleValues(rule) })];
  },
};

/** A reset leaves one rule, "accept". The old ones are added after it, then it is removed. */
const FIREWALL_RESET: Change = {
  ...FIREWALL_ADD,
  back(before, values) {
    const vm = text(values, "vm");
    return [
      ...list(before).map((rule) => step("vm.firewall.add", { vm, ...ruleValues(rule) })),
      step("vm.firewall.remove", { vm, rule_no: 0 }),
    ];
  },
};

/** A rule as it is listed, in the words with which one is added. */
function ruleValues(rule: JsonValue): Record<string, Value> {
  return Object.fromEntries(
    Object.entries(record(rule)).map(([key, value]): [string, Value] => {
      const word = String(value);
      if (key === "dst4" || key === "dst6") return ["dsthost", word];
      if (key === "icmptype") return [key, Number(word)];
      if (key !== "dstports") return [key, word];
      const [from, to] = word.split("-");
      return [key, from === to ? String(from) : word];
    }),
  );
}

/** Which qube has the device. */
const DEVICE: Change = {
  reads: "device.list",
  part: (read, values) =>
    list(read).map(record).find(({ device }) => device === values.get("device"))?.used_by ?? null,
  back(before, values) {
    const isThere = String(before ?? "").split(/[ ,]+/).includes(text(values, "vm"));
    const which = own(values, ["device_class", "vm", "device"]);
    return [step(isThere ? "device.attach" : "device.detach", which)];
  },
};

/** Whether there is a qube of that name. */
function existence(parameter: string, back: Change["back"]): Change {
  return {
    reads: "vm.names",
    part: (read, values) => list(read).includes(text(values, parameter)),
    back,
  };
}

/** What each operation changes. One that is not listed cannot be undone. */
export const CHANGES: ReadonlyMap<string, Change> = new Map<string, Change>([
  ["vm.prefs.set", property("vm.prefs")],
  ["vm.prefs.reset", property("vm.prefs")],
  ["system.prefs.set", property("system.prefs")],
  ["system.prefs.reset", property("system.prefs")],
  ["vm.features.set", FEATURE],
  ["vm.features.reset", FEATURE],
  ["vm.tags.add", TAG],
  ["vm.tags.remove", TAG],
  ["vm.services.enable", SERVICE],
  ["vm.services.disable", SERVICE],
  ["vm.services.reset", SERVICE],
  ["vm.notes.set", NOTES],
  ["vm.start", POWER],
  ["vm.shutdown", POWER],
  ["vm.kill", POWER],
  ["vm.pause", PAUSE],
  ["vm.unpause", PAUSE],
  ["vm.firewall.add", FIREWALL_ADD],
  ["vm.firewall.remove", FIREWALL_REMOVE],
  ["vm.firewall.reset", FIREWALL_RESET],
  ["device.attach", DEVICE],
  ["device.detach", DEVICE],
  [
    "vm.create",
    existence(
      "vm",
      (before, values) => before === true ? [] : [step("vm.remove", { vm: text(values, "vm") })],
    ),
  ],
  [
    "vm.clone",
    existence(
      "new_vm",
      (before, values) =>
        before === true ? [] : [step("vm.remove", { vm: text(values, "new_vm") })],
    ),
  ],
  [
    "vm.rename",
    existence(
      "new_vm",
      (before, values) =>
        before === true
          ? []
          : [step("vm.rename", { vm: text(values, "new_vm"), new_vm: text(values, "vm") })],
    ),
  ],
  [
    "template.install",
    existence(
      "template",
      (before, values) =>
        before === true ? [] : [step("vm.remove", { vm: text(values, "template") })],
    ),
  ],
]);

// SPDX-License-Identifier: GPL-2.0-or-later
/** Tools: qubes, to look at and to change. @module */

import { ArgumentError, type Arguments } from "../arguments.ts";
import { CHANGES, type Desk, DESTROYS, pairsOf, READS, type Tool, VM, WHY } from "../tool.ts";

/** What vm_get shows, and the operation that reads it. */
const PARTS = {
  info: "vm.info",
  properties: "vm.prefs.list",
  features: "vm.features.list",
  tags: "vm.tags.list",
  services: "vm.services.list",
  notes: "vm.notes.get",
  firewall: "vm.firewall.list",
} as const;

const POWER = ["start", "shutdown", "restart", "kill", "pause", "unpause"] as const;

export const VM_TOOLS: readonly Tool[] = [
  {
    name: "vm_list",
    title: "List qubes",
    description: "The qubes that you may see, with state, class, label, template and netvm.",
    parameters: {},
    hints: READS,
    operations: ["vm.list"],
    call: (_args, desk) => desk.operation("vm.list", []),
  },
  {
    name: "vm_get",
    title: "Look at a qube",
    description: "One part of what a qube is: its main settings (info), or a list in full.",
    parameters: { vm: VM, "part?": { type: "string", enum: Object.keys(PARTS) } },
    hints: READS,
    operations: Object.values(PARTS),
    call(args, desk) {
      const part = args.has("part") ? args.text("part") : "info";
      return desk.operation(PARTS[part as keyof typeof PARTS], [["vm", args.text("vm")]]);
    },
  },
  {
    name: "vm_power",
    title: "Start or stop a qube",
    description: "Start, shut down, restart, kill, pause or unpause a qube. Starting takes some " +
      "10 s. kill loses what is unsaved: shut down first.",
    parameters: { vm: VM, action: { type: "string", enum: POWER }, "why?": WHY },
    hints: DESTROYS,
    operations: POWER.map((action) => `vm.${action}`),
    call: (args, desk) => desk.operation(`vm.${args.text("action")}`, [["vm", args.text("vm")]]),
  },
  {
    name: "vm_create",
    title: "Create a qube",
    description: "Create a qube, or copy one with cloneOf (minutes). It is off afterwards.",
    parameters: {
      vm: VM,
      "label?": { type: "string", description: "colour, such as red; needed without cloneOf" },
      "template?": { type: "string" },
      "class?": { type: "string", enum: ["AppVM", "StandaloneVM", "TemplateVM", "DispVM"] },
      "cloneOf?": { type: "string", description: "the qube to copy; then no other setting" },
      "why?": WHY,
    },
    hints: { ...CHANGES, idempotentHint: false },
    operations: ["vm.create", "vm.clone"],
    call: createVm,
  },
  {
    name: "vm_set",
    title: "Change a setting of a qube",
    description: "Set one property, feature, tag, service or the notes; with reset, bring back " +
      "its default or take it away. Look with vm_get first.",
    parameters: {
      vm: VM,
      part: { type: "string", enum: ["property", "feature", "tag", "service", "notes"] },
      "name?": { type: "string", description: "of it, such as memory; not for notes" },
      "value?": { type: "string", description: "for a service on or off; not for a tag" },
      "reset?": { type: "boolean" },
      "why?": WHY,
    },
    hints: DESTROYS,
    operations: [
      "vm.prefs.set",
      "vm.prefs.reset",
      "vm.features.set",
      "vm.features.reset",
      "vm.tags.add",
      "vm.tags.remove",
      "vm.services.enable",
      "vm.services.disable",
      "vm.services.reset",
      "vm.notes.set",
    ],
    call: setVm,
  },
  {
    name: "vm_remove",
    title: "Remove a qube",
    description: "Remove a qube that is off, with all its data, for good. Name it twice.",
    parameters: { vm: VM, vmAgain: { ...VM, description: "the same name again" }, "why?": WHY },
    hints: DESTROYS,
    operations: ["vm.remove"],
    call(args, desk) {
      const vm = args.text("vm");
      if (args.text("vmAgain") !== vm) {
        throw new ArgumentError("vm and vmAgain are not the same name: nothing was removed");
      }
      return desk.operation("vm.remove", [["vm", vm]]);
    },
  },
];

function createVm(args: Arguments, desk: Desk) {
  if (!args.has("cloneOf")) {
    if (!args.has("label")) throw new ArgumentError("the parameter label is missing");
    const names = { vm: "vm", label: "label", template: "template", class: "class" };
    return desk.operation("vm.create", pairsOf(args, names));
  }
  const other = ["label", "template", "class"].find((name) => args.has(name));
  if (other !== undefined) throw new ArgumentError(`a copy takes no ${other}: set it afterwards`);
  return desk.operation("vm.clone", [["vm", args.text("cloneOf")], ["new_vm", args.text("vm")]]);
}

function setVm(args: Arguments, desk: Desk) {
  const part = args.text("part");
  const isReset = args.flag("reset");
  const need = (name: "name" | "value"): string => {
    if (args.has(name)) return args.text(name);
    throw new ArgumentError(`the parameter ${name} is missing: a ${part} needs it`);
  };
  const call = (operation: string, ...pairs: [string, string][]) =>
    desk.operation(operation, [["vm", args.text("vm")], ...pairs]);
  switch (part) {
    case "property":
    case "feature": {
      const family = part === "property" ? "vm.prefs" : "vm.features";
      const named: [string, string] = [part, need("name")];
      if (isReset) return call(`${family}.reset`, named);
      return call(`${family}.set`, named, ["value", need("value")]);
    }
    case "tag":
      return call(isReset ? "vm.tags.remove" : "vm.tags.add", ["tag", need("name")]);
    case "service": {
      const named: [string, string] = ["service", need("name")];
      if (isReset) return call("vm.services.reset", named);
      const value = need("value");
      if (value === "on") return call("vm.services.enable", named);
      if (value === "off") return call("vm.services.disable", named);
      throw new ArgumentError("the parameter value must be one of: on, off");
    }
    default:
      return call("vm.notes.set", ["notes", isReset ? "" : need("value")]);
  }
}

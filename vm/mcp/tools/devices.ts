// SPDX-License-Identifier: GPL-2.0-or-later
/** Tools: what is attached to a qube, and what it may reach. @module */

import { ArgumentError, type Arguments } from "../arguments.ts";
import { type Desk, DESTROYS, pairsOf, type Tool, VM, WHY } from "../tool.ts";

export const DEVICE_TOOLS: readonly Tool[] = [
  {
    name: "device_set",
    title: "Attach or detach a device",
    description: "Attach a device to a running qube, or detach it. operation_call device.list " +
      "with device_class block, usb or mic lists devices.",
    parameters: {
      action: { type: "string", enum: ["attach", "detach"] },
      vm: VM,
      deviceClass: { type: "string", description: "block, usb, mic or pci" },
      device: { type: "string", description: "BACKEND:PORT" },
      "readOnly?": { type: "boolean" },
      "why?": WHY,
    },
    hints: DESTROYS,
    operations: ["device.attach", "device.detach"],
    call(args, desk) {
      const names = { deviceClass: "device_class", vm: "vm", device: "device" };
      const readOnly = args.flag("readOnly") ? [["ro", "true"] as const] : [];
      return desk.operation(`device.${args.text("action")}`, [
        ...pairsOf(args, names),
        ...readOnly,
      ]);
    },
  },
  {
    name: "firewall_set",
    title: "Change firewall rules",
    description: "Add a rule for what a qube may reach, remove one by its number, or reset (all " +
      "is accepted). vm_get with part firewall shows rules in order: the first that fits counts.",
    parameters: {
      vm: VM,
      action: { type: "string", enum: ["add", "remove", "reset"] },
      "verdict?": { type: "string", enum: ["accept", "drop"], description: "needed for add" },
      "host?": { type: "string", description: "address, network or name" },
      "protocol?": { type: "string", enum: ["tcp", "udp", "icmp"] },
      "ports?": { type: "string", description: "443 or 8000-8010" },
      "number?": {
        type: "integer",
        minimum: 0,
        maximum: 9999,
        description: "the rule to remove, or to add before",
      },
      "why?": WHY,
    },
    hints: { ...DESTROYS, idempotentHint: false },
    operations: ["vm.firewall.add", "vm.firewall.remove", "vm.firewall.reset"],
    call: setFirewall,
  },
];

function setFirewall(args: Arguments, desk: Desk) {
  const vm: readonly [string, string] = ["vm", args.text("vm")];
  const action = args.text("action");
  if (action === "reset") return desk.operation("vm.firewall.reset", [vm]);
  if (action === "remove") {
    if (!args.has("number")) throw new ArgumentError("the parameter number is missing");
    return desk.operation("vm.firewall.remove", [vm, ["rule_no", `${args.number("number")}`]]);
  }
  if (!args.has("verdict")) throw new ArgumentError("the parameter verdict is missing");
  const before = args.has("number") ? [["before", `${args.number("number")}`] as const] : [];
  const names = { verdict: "action", host: "dsthost", protocol: "proto", ports: "dstports" };
  return desk.operation("vm.firewall.add", [vm, ...before, ...pairsOf(args, names)]);
}

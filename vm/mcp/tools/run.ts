// SPDX-License-Identifier: GPL-2.0-or-later
/** Tools: commands, and what dom0 wrote into its journal. @module */

import { SHELL } from "../../remote/client/access.ts";
import { ArgumentError, type Arguments } from "../arguments.ts";
import { READS, RUNS, type Tool, VM, WHY } from "../tool.ts";

const DEFAULT_SECONDS = 300;
const MAX_SECONDS = 86_400;
const DEFAULT_LINES = 50;
const LINES = { type: "integer", minimum: 1, maximum: 1000 } as const;

export const RUN_TOOLS: readonly Tool[] = [
  {
    name: "run",
    title: "Run a command",
    description: "Run a shell command in a running qube, or in dom0 as root (vm: dom0). Use a " +
      "tool that fits instead where there is one. After 25 s it answers running: use job_wait.",
    parameters: {
      vm: { ...VM, description: "name of the qube, or dom0" },
      command: { type: "string" },
      "timeoutSeconds?": {
        type: "integer",
        minimum: 1,
        maximum: MAX_SECONDS,
        description: "dom0 only, default 300",
      },
      "why?": WHY,
    },
    hints: RUNS,
    operations: [SHELL, "vm.run"],
    call(args, desk) {
      const [vm, command] = [args.text("vm"), args.text("command")];
      if (command === "") throw new ArgumentError("the parameter command is empty");
      if (vm !== "dom0") return desk.operation("vm.run", [["vm", vm], ["command", command]]);
      const seconds = args.has("timeoutSeconds") ? args.number("timeoutSeconds") : DEFAULT_SECONDS;
      return desk.script(command, seconds);
    },
  },
  {
    name: "events_read",
    title: "What happened to qubes",
    description: "What dom0 noted lately about the qubes you may see, with times: starts, failed " +
      "starts and why, warnings. Not shutdowns: vm_list has the state now.",
    parameters: { "lines?": LINES },
    hints: READS,
    operations: ["events.read"],
    call: (args, desk) => desk.operation("events.read", [linesOf(args)]),
  },
  {
    name: "log_read",
    title: "Read dom0's journal",
    description: "The last lines that one service of dom0 wrote, such as qubesd or libvirtd: " +
      "why a qube did not start.",
    parameters: {
      unit: {
        type: "string",
        description:
          "a service; access_get with the name journal.read lists those that may be read",
      },
      "lines?": LINES,
    },
    hints: READS,
    operations: ["journal.read"],
    call: (args, desk) =>
      desk.operation("journal.read", [["unit", args.text("unit")], linesOf(args)]),
  },
];

function linesOf(args: Arguments): readonly [string, string] {
  return ["lines", `${args.has("lines") ? args.number("lines") : DEFAULT_LINES}`];
}

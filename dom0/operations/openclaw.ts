// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The agent VM: the state of OpenClaw and its proxy, from openclaw-ctl(1) in that qube. The command for
 * the qube's shell is written here; only values from a fixed list go into it. What it prints is only
 * that qube's own claim. None of these starts a qube.
 *
 * Each is two steps, so that a "vm.run" with the same command is not taken for it.
 *
 * @module
 */

import { type Definition } from "./operation.ts";
import { required } from "./parameter.ts";
import { OWN_TEXT, TEXT } from "./result.ts";

const vm = required("qube", "the agent VM, or its key qube");
const part = required("agentPart", "proxy, gateway, watchdog, tunnel, or all");
const RUNS = "qvm-check --quiet --running {vm}";

function inVm(command: string): readonly string[] {
  return [RUNS, `qvm-run --pass-io --no-gui --no-autostart {vm} "${command}"`];
}

function turning(verb: "start" | "stop" | "restart", summary: string): Definition {
  return {
    summary,
    level: "manage",
    parameters: { vm, part },
    run: inVm(`openclaw-ctl ${verb} {part}`),
    result: OWN_TEXT,
  };
}

export const OPENCLAW: Readonly<Record<string, Definition>> = {
  "openclaw.status": {
    summary: "Show what runs and what answers in an agent VM, as JSON",
    level: "monitor",
    parameters: { vm },
    run: inVm("openclaw-ctl status --json"),
    result: OWN_TEXT,
  },
  "openclaw.usage": {
    summary: "Show requests, tokens and money by client, model and day, as JSON",
    level: "monitor",
    parameters: { vm },
    run: inVm("openclaw-ctl usage --json --days 14"),
    result: OWN_TEXT,
  },
  "openclaw.logs": {
    summary: "Show the last lines of a part's journal in an agent VM",
    level: "manage",
    parameters: { vm, part },
    run: inVm("openclaw-ctl logs {part} --lines 200"),
    result: OWN_TEXT,
  },
  "openclaw.start": turning("start", "Start a part of an agent VM"),
  "openclaw.stop": turning("stop", "Stop a part of an agent VM; it starts again with the qube"),
  "openclaw.restart": turning("restart", "Restart a part of an agent VM"),
  "openclaw.tunnels": {
    summary: "Show what dom0's tunnels to the agent VM carry, as JSON",
    level: "monitor",
    run: "openclaw-tunnel status --json",
    result: TEXT,
  },
  "openclaw.config": {
    summary: "Show which agent VM dom0 is set up for, and its ports",
    level: "monitor",
    run: "cat /etc/qubes/openclaw.conf",
    result: TEXT,
  },
};

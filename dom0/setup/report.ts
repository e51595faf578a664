// SPDX-License-Identifier: GPL-2.0-or-later
/** What setup prints: the plan as commands, the verification as a table, the next steps. @module */

import { commandText } from "../../shared/setup/findings.ts";
import { describe } from "./describe.ts";
import type { Command, Value } from "./fact.ts";
import type { Step, Undo } from "./plan.ts";
import type { SetupRequest } from "./request.ts";

/** The step's commands, each as a shell would read it. */
export function stepText({ why, commands, fact, to }: Step): string {
  return `# ${describe(fact, to)} (${why})\n${commands.map(commandText).join("")}`;
}

export function undoText({ entry: { fact, from }, action }: Undo, isDryRun: boolean): string {
  const what = describe(fact, from);
  if (action.kind === "step") return isDryRun ? stepText(action.step) : `back     ${what}\n`;
  if (action.kind === "gone") return `# nothing to do: ${what}: ${action.why}\n`;
  return `# KEPT ${describe(fact, null)}: ${action.why}\n`.replace(" removed:", ":");
}

export interface StepJson {
  readonly kind: string;
  readonly what: string;
  readonly why: string;
  readonly from: Value;
  readonly to: Value;
  readonly commands: readonly Command[];
}

export function stepJson({ fact, from, to, why, commands }: Step): StepJson {
  return { kind: fact.kind, what: describe(fact, to), why, from, to, commands };
}

export function whatNext(request: SetupRequest): string {
  const { agent, admin, proxyPort, gatewayPort, ip, mode, keyQube } = request;
  const lines = [
    ...keyQube === undefined ? ownProxyLines(request) : keyQubeLines(request, keyQube.vm),
    `in dom0:       firefox http://127.0.0.1:${gatewayPort}/`,
    "more clients:  qvm-tags VM add openclaw-client",
    ...(admin === undefined ? [] : [`admin VM:      qvm-start --skip-if-running ${admin.vm}`]),
    ...(mode === "network"
      ? [
        `any VM, LAN:   curl http://${ip}:${proxyPort}/health`,
        `if ${agent} was running, restart it: it takes its new address at its start`,
      ]
      : []),
  ];
  return `What next:\n${lines.map((line) => `  ${line}\n`).join("")}`;
}

function ownProxyLines({ agent, proxyPort }: SetupRequest): readonly string[] {
  return [
    `in dom0:       qvm-start --skip-if-running ${agent}`,
    `in the VM:     sudo openclaw-ports install`,
    `in dom0:       curl http://127.0.0.1:${proxyPort}/health`,
  ];
}

function keyQubeLines(
  { agent, proxyPort, gatewayPort }: SetupRequest,
  keyQube: string,
): readonly string[] {
  const client = `{"clients": {"agent": {"vm": "${agent}"}}}`;
  const perVm = `sudo openclaw-ports install --per-vm ${proxyPort}`;
  return [
    `in dom0:       qvm-start --skip-if-running ${keyQube} ${agent}`,
    `               restart those that were running: services change at a VM's start`,
    `in ${keyQube}: in ~/.openclaw/proxy.json the providers, and ${client}`,
    `               in ~/.openclaw/proxy.env the keys; then ${perVm}`,
    `in ${agent}: sudo openclaw-ports install ${gatewayPort}`,
    `               curl http://127.0.0.1:${proxyPort}/health`,
    `               keys that were there before: rm ~/.openclaw/proxy.env, and get new ones`,
  ];
}

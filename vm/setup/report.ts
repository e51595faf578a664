// SPDX-License-Identifier: GPL-2.0-or-later
/** What setup-vm prints, as text and as JSON. @module */

import { commandText, type Finding } from "../../shared/setup/findings.ts";
import type { Value } from "../../shared/setup/record.ts";
import type { Command } from "../../shared/setup/tools.ts";
import { describe } from "./describe.ts";
import { commandsFor, type Wanted } from "./fact.ts";
import type { Step, Undo } from "./plan.ts";
import type { SetupRequest } from "./request.ts";
import { UNNAMED_MODEL, wantsKey } from "./compatible.ts";
import { keyNames } from "./secrets.ts";
import type { Survey } from "./survey.ts";
import { servicesOf } from "./wanted.ts";

/**
 * The one thing to do now; it is printed first.
 *
 * @param problems in the way of a setup
 * @param facts that a setup makes
 * @param checks of what the user writes
 * @param next what is left when all is well
 */
export function nextStep(
  problems: readonly Finding[],
  facts: readonly Finding[],
  checks: readonly Finding[],
  next: readonly string[],
): string {
  const mend = ({ what, next: [command] }: Finding): string =>
    command === undefined ? what : `${what}: ${command}`;
  const missing = facts.filter(({ isSo }) => !isSo).length;
  const wrong = checks.find(({ isSo }) => !isSo);
  if (problems[0] !== undefined) return `Next: ${mend(problems[0])}`;
  if (missing > 0) {
    return `Next: run setup-vm with the same words, without --verify: it makes the ${missing} that are missing`;
  }
  if (wrong !== undefined) return `Next: ${mend(wrong)}`;
  return `Next: ${next[0] ?? "nothing"}`;
}

/** The step's commands, each as a shell would read it. */
export function stepText({ why, fact, to, commands }: Step): string {
  const shown = fact.kind === "kept" && to !== null
    ? [`# written with mode 0600, unless it is there: ${fact.path}\n`]
    : fact.kind === "file" && !fact.root
    ? commandsForFile(fact.path, to)
    : commands.map(commandText);
  return `# ${describe(fact, to)} (${why})\n${shown.join("")}`;
}

function commandsForFile(path: string, to: Value): readonly string[] {
  const command: Command = to === null
    ? { argv: ["rm", "--", path] }
    : { argv: ["tee", "--", path], input: to };
  return [commandText(command)];
}

export const progressText = ({ fact, to, why }: Step): string => `${describe(fact, to)} (${why})\n`;

export function undoText({ entry: { fact, from, to }, action }: Undo, isDryRun: boolean): string {
  if (action.kind === "step") {
    return isDryRun ? stepText(action.step) : `back     ${describe(fact, from)}\n`;
  }
  const what = describe(fact, action.kind === "gone" ? from : to);
  return `# ${action.kind === "gone" ? "nothing to do" : "KEPT"}: ${what}: ${action.why}\n`;
}

export interface StepJson {
  readonly kind: string;
  readonly what: string;
  readonly why: string;
  readonly commands: readonly (readonly string[])[];
}

export function stepJson({ fact, to, why, commands }: Step): StepJson {
  const isFile = fact.kind === "kept" || fact.kind === "setting" ||
    (fact.kind === "file" && !fact.root);
  return {
    kind: fact.kind,
    what: describe(fact, to),
    why,
    commands: isFile ? [] : commands.map(({ argv }) => argv),
  };
}

/** What root has to do where this program cannot become root. */
export function rootText(wanted: readonly Wanted[]): string {
  const commands = wanted.flatMap(({ fact, to }) => commandsFor(fact, to));
  const lines = commands.map((command) =>
    commandText({
      ...command,
      argv: command.argv[0] === "sudo"
        ? command.argv.slice(2) as unknown as Command["argv"]
        : command.argv,
    })
  );
  return `sudo asks for a password here, so root has to do this:\n${lines.join("")}`;
}

/** What is left for the person: dom0's part, the keys, a check. */
export function whatNext(
  request: SetupRequest,
  { around: { kind, flags }, notes, hasKey }: Survey,
): readonly string[] {
  const { part, units, provider, server } = request;
  const services = servicesOf(request);
  if (kind === "template") {
    return [
      "shut this template down, start the agent VM, and run setup-vm there",
      ...services.map(({ flag }) => `in dom0: qvm-service VM ${flag} on`),
    ];
  }
  const off = services.filter(({ flag }) => !flags.has(flag));
  return [
    ...notes,
    ...(server !== null && server.model === null
      ? [
        `name a model in place of "${UNNAMED_MODEL}" in ~/.openclaw/proxy.json, twice; ` +
        `the server's: curl ${server.baseUrl}/models (llama.cpp and LM Studio take any name)`,
      ]
      : []),
    ...(hasKey || part === "agent of a key qube" || (server !== null && !wantsKey(server))
      ? []
      : keyNames(provider).slice(0, 1).map((name) =>
        `write your key into ~/.openclaw/proxy.env: ${name}=KEY; the proxy sees it at once`
      )),
    ...(part === "keys" && request.agents.length === 0
      ? ['name each agent VM in ~/.openclaw/proxy.json: "clients": {"agent": {"vm": "NAME"}}']
      : []),
    ...(units === "user" || off.length === 0 ? [] : [
      ...(kind === "app"
        ? [
          `in the template: sudo systemctl enable ${
            services.map(({ system }) => system).join(" ")
          }`,
        ]
        : []),
      `in dom0: ${off.map(({ flag }) => `qvm-service VM ${flag} on`).join("; ")}`,
      "then restart this VM (setup-dom0 sets the flags, too)",
    ]),
    "see how it goes: openclaw-ctl status",
  ];
}

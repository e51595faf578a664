// SPDX-License-Identifier: GPL-2.0-or-later
/** Every command and option of openclaw-ctl: for running, for --help, for the tests. @module */

import type { OptionTable } from "../../shared/cli/options.ts";

export const CTL_PROGRAM = "openclaw-ctl";

export interface CtlCommand {
  readonly options: OptionTable;
  /** The words that may follow; the last number is the most of them. */
  readonly words: readonly [usage: string, min: number, max: number];
  readonly help: string;
}

const LOG_OPTIONS: OptionTable = { lines: "value", since: "value" };

export const CTL_COMMANDS: ReadonlyMap<string, CtlCommand> = new Map<string, CtlCommand>([
  ["status", { options: {}, words: ["", 0, 0], help: "what runs, what listens, what answers" }],
  ["health", {
    options: { ask: "flag" },
    words: ["[MODEL]", 0, 1],
    help: "check every endpoint; exit code 1 if one fails. --ask: a model too, at a small cost",
  }],
  ["logs", {
    options: LOG_OPTIONS,
    words: ["[PART]", 0, 1],
    help: "the journal of proxy, gateway, watchdog, tunnel, or all",
  }],
  ["follow", {
    options: LOG_OPTIONS,
    words: ["[PART]", 0, 1],
    help: "the same, and new lines as they come, until Ctrl-C",
  }],
  ["start", { options: {}, words: ["[PART...]", 0, 4], help: "one part, or all of this VM" }],
  ["stop", {
    options: {},
    words: ["[PART...]", 0, 4],
    help: "the same; it starts again with the VM",
  }],
  ["restart", { options: {}, words: ["[PART...]", 0, 4], help: "one part, or all of this VM" }],
  ["cron", { options: {}, words: ["WORDS...", 0, 1000], help: 'passed on to "openclaw cron"' }],
  ["webhook-test", {
    options: { now: "flag", text: "value" },
    words: ["", 0, 0],
    help: "wake the gateway as a webhook would, at its next heartbeat or --now",
  }],
  ["models", { options: {}, words: ["", 0, 0], help: "the models that the proxy offers" }],
  ["usage", {
    options: { days: "value" },
    words: ["", 0, 0],
    help: "requests, tokens and money by client, model and day",
  }],
  ["dashboard", {
    options: {},
    words: ["", 0, 0],
    help: "a one-time address for one browser, valid for ten minutes",
  }],
  ["pair", {
    options: {},
    words: ["[ERROR-TEXT...]", 0, 200],
    help: "which browsers and devices are waiting, and what a pairing error means",
  }],
  ["approve", { options: {}, words: ["REQUEST", 1, 1], help: "let one of them in" }],
  ["doctor", { options: {}, words: ["", 0, 0], help: "look for known problems" }],
  ["top", {
    options: { every: "value", once: "flag" },
    words: ["", 0, 0],
    help: "everything on one screen, refreshed; --once prints it once",
  }],
  ["help", { options: {}, words: ["", 0, 0], help: "this text" }],
]);

/** Before or after the command. */
export const CTL_OPTIONS: OptionTable = { help: "flag", json: "flag", version: "flag" };

export const CTL_HELP = `usage: ${CTL_PROGRAM} [--json] COMMAND [WORDS...]

Operates what runs in this VM: the OpenClaw gateway, the proxy in front of the models, the watchdog,
the tunnel. ~/.config/openclaw/vm.json, which setup-vm writes, lists which of these this VM has.

${
  [...CTL_COMMANDS].map(([name, { words: [words], help }]) => {
    const head = `  ${name}${words === "" ? "" : " " + words}`;
    return head.length > 22 ? `${head}\n${" ".repeat(24)}${help}` : `${head.padEnd(24)}${help}`;
  }).join("\n")
}

  --json                one JSON object; logs and follow: one per line
  --lines N             logs, follow: how many (50)
  --since TIME          logs, follow: as journalctl takes it, for example -1h or today
  --now, --text TEXT    webhook-test: immediately; the text to send
  --days N              usage: how far back (30)
  --every SECONDS       top: how often (2)
  --once                top: once, as plain text
  --version, -h, --help

PART is proxy, gateway, watchdog or tunnel. Exit codes: 0 good, 1 something is wrong or failed,
2 usage error.
`;

// SPDX-License-Identifier: GPL-2.0-or-later
/** Commands by their names. @module */

import { parseNumber } from "../../shared/cli/options.ts";
import { partsOf } from "../probe/units.ts";
import { type CtlCall, readParts } from "./cli.ts";
import { cron } from "./commands/cron.ts";
import { dashboard } from "./commands/dashboard.ts";
import { doctor } from "./commands/doctor.ts";
import { health } from "./commands/health.ts";
import type { LogQuestion } from "./commands/logs.ts";
import { models } from "./commands/models.ts";
import { approve, pair } from "./commands/pair.ts";
import { status } from "./commands/status.ts";
import { turn } from "./commands/turn.ts";
import { usage } from "./commands/usage.ts";
import { WEBHOOK_TEXT, webhookTest } from "./commands/webhook.ts";
import type { Outcome, Scene } from "./scene.ts";

export interface Machine {
  readonly memoryBytes: () => number;
  readonly uid: number | null;
}

/** Further messages, which do not go into a pipe. */
export type Said = Outcome & { readonly errorText?: string };

type RunOne = (scene: Scene, call: CtlCall, machine: Machine) => Promise<Said>;

/** Each command but logs, follow and top, which do not end with one answer. */
const RUNS: ReadonlyMap<string, RunOne> = new Map<string, RunOne>([
  ["status", (scene) => status(scene)],
  [
    "health",
    (scene, { options, words: [model] }) =>
      health(scene, options.has("ask") || model !== undefined, model ?? "auto"),
  ],
  ["start", (scene, call) => turn(scene, "start", partsIn(scene, call))],
  ["stop", (scene, call) => turn(scene, "stop", partsIn(scene, call))],
  ["restart", (scene, call) => turn(scene, "restart", partsIn(scene, call))],
  ["cron", (scene, { words }) => cron(scene, words)],
  ["webhook-test", (scene, { options }) =>
    webhookTest(
      scene,
      options.has("now") ? "now" : "next-heartbeat",
      options.value("text") ?? WEBHOOK_TEXT,
    )],
  ["models", (scene) => models(scene)],
  [
    "usage",
    (scene, { options }) =>
      usage(scene, parseNumber("--days", options.value("days") ?? "30", 1, 3660)),
  ],
  ["dashboard", (scene) => dashboard(scene)],
  ["pair", (scene, { words }) => pair(scene, words)],
  ["approve", (scene, { words: [request = ""] }) => approve(scene, request)],
  ["doctor", (scene, _call, machine) => doctor(scene, machine)],
]);

function partsIn({ settings }: Scene, { words }: CtlCall) {
  return readParts(words, partsOf(settings));
}

/** @returns null for a command that is not one of these */
export function runCommand(scene: Scene, call: CtlCall, machine: Machine): Promise<Said> | null {
  return RUNS.get(call.command)?.(scene, call, machine) ?? null;
}

/** @throws {UsageError} */
export function logQuestion({ settings }: Scene, { words, options }: CtlCall): LogQuestion {
  const parts = readParts(words, partsOf(settings));
  const lines = parseNumber("--lines", options.value("lines") ?? "50", 0, 100_000);
  return { parts, lines, since: options.value("since") ?? null };
}

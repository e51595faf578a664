// SPDX-License-Identifier: GPL-2.0-or-later
/** How openclaw-watchdog watches: ~/.config/openclaw/watchdog.json, all of it optional. @module */

import { ifPresent, readSmallText } from "../../shared/io/files.ts";
import { parseJson, problemsError } from "../settings/json_file.ts";
import { BAD, number, oneOf, optional, type Problem, record, whole } from "../settings/shape.ts";

export interface WatchSettings {
  readonly everySeconds: number;
  /** How long one answer may take. */
  readonly answerSeconds: number;
  /** In a row, before a restart. */
  readonly failures: number;
  readonly restartsPerHour: number;
  /** How long a part may take to answer after its start: the gateway takes 10 to 18 s. */
  readonly startSeconds: number;
  /** From one restart to the next; each of an hour doubles it. */
  readonly backoffSeconds: number;
  /** Above this the gateway is restarted as soon as it is idle; 0: never. */
  readonly gatewayMegabytes: number;
  readonly idleSeconds: number;
  readonly restart: "yes" | "no";
  /** Whether dom0 is told of restarts, of giving up, and of recovery. */
  readonly tellDom0: "yes" | "no";
}

export const DEFAULT_WATCH: WatchSettings = {
  everySeconds: 30,
  answerSeconds: 5,
  failures: 3,
  restartsPerHour: 3,
  startSeconds: 120,
  backoffSeconds: 60,
  gatewayMegabytes: 0,
  idleSeconds: 600,
  restart: "yes",
  tellDom0: "no",
};

const MAX_BYTES = 64 * 1024;

const readWatch = record<WatchSettings>({
  everySeconds: optional(number(0.05, 3600), DEFAULT_WATCH.everySeconds),
  answerSeconds: optional(number(0.05, 300), DEFAULT_WATCH.answerSeconds),
  failures: optional(whole(1, 100), DEFAULT_WATCH.failures),
  restartsPerHour: optional(whole(1, 60), DEFAULT_WATCH.restartsPerHour),
  startSeconds: optional(number(0, 3600), DEFAULT_WATCH.startSeconds),
  backoffSeconds: optional(number(0, 3600), DEFAULT_WATCH.backoffSeconds),
  gatewayMegabytes: optional(whole(0, 1_000_000), DEFAULT_WATCH.gatewayMegabytes),
  idleSeconds: optional(number(0, 86_400), DEFAULT_WATCH.idleSeconds),
  restart: optional(oneOf(["yes", "no"]), DEFAULT_WATCH.restart),
  tellDom0: optional(oneOf(["yes", "no"]), DEFAULT_WATCH.tellDom0),
});

export function watchSettingsPath(home: string): string {
  return `${home}/.config/openclaw/watchdog.json`;
}

export function parseWatchSettings(value: unknown): WatchSettings | readonly Problem[] {
  const problems: Problem[] = [];
  const settings = readWatch(value, "", (problem) => problems.push(problem));
  return settings === BAD ? problems : settings;
}

/** No file is the default. @throws {UserError} naming what is wrong in it */
export async function loadWatchSettings(home: string): Promise<WatchSettings> {
  const path = watchSettingsPath(home);
  const text = await ifPresent(readSmallText(path, MAX_BYTES));
  if (text === undefined) return DEFAULT_WATCH;
  const settings = parseWatchSettings(parseJson(path, text));
  if ("failures" in settings) return settings;
  throw problemsError(path, settings, "or remove the file: without it the defaults hold");
}

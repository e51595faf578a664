// SPDX-License-Identifier: GPL-2.0-or-later
/** The journal of the parts: journalctl's words, and its JSON lines. Pure. @module */

import { asText } from "../probe/as_text.ts";
import type { Part, UnitName } from "../probe/units.ts";
import { shown, withoutSecrets, withoutStyle } from "./text.ts";

export interface LogLine {
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly part: Part;
  /** As syslog's: 3 error, 4 warning, 6 info. */
  readonly priority: number;
  /** Safe for a terminal, and without what looks like a secret. */
  readonly text: string;
}

const MAX_LINE_CHARS = 2000;
const FIELDS = "MESSAGE,PRIORITY,_SYSTEMD_UNIT,_SYSTEMD_USER_UNIT,UNIT,USER_UNIT";

export function journalArguments(
  units: readonly UnitName[],
  options: { readonly lines: number; readonly since: string | null; readonly follow: boolean },
): readonly string[] {
  return [
    "--no-pager",
    "--output=json",
    `--output-fields=${FIELDS}`,
    `--lines=${options.lines}`,
    ...(options.since === null ? [] : [`--since=${options.since}`]),
    ...(options.follow ? ["--follow"] : []),
    ...units.map(({ unit, scope }) => `${scope === "user" ? "--user-unit" : "--unit"}=${unit}`),
  ];
}

/** @returns null if it is not an entry of one of these units */
export function readJournalLine(untrustedLine: string, units: readonly UnitName[]): LogLine | null {
  let entry: Record<string, unknown>;
  try {
    entry = JSON.parse(untrustedLine);
  } catch {
    return null;
  }
  if (typeof entry !== "object" || entry === null) return null;
  const names = ["_SYSTEMD_USER_UNIT", "USER_UNIT", "_SYSTEMD_UNIT", "UNIT"].map((name) =>
    entry[name]
  );
  const found = units.find(({ unit }) => names.includes(unit));
  const micros = Number(entry["__REALTIME_TIMESTAMP"]);
  if (found === undefined || !Number.isSafeInteger(micros)) return null;
  const priority = Number(entry["PRIORITY"] ?? 6);
  return {
    at: new Date(micros / 1000).toISOString(),
    part: found.part,
    priority: priority >= 0 && priority <= 7 ? priority : 6,
    text: messageText(entry["MESSAGE"]),
  };
}

/** Text, or the bytes of a text that is not UTF-8 or has control characters. */
function messageText(untrusted: unknown): string {
  const text = Array.isArray(untrusted)
    ? new TextDecoder().decode(Uint8Array.from(untrusted, (byte) => Number(asText(byte))))
    : typeof untrusted === "string"
    ? untrusted
    : "(too long for the journal)";
  return withoutSecrets(shown(ownLog(withoutStyle(text)) ?? withoutStyle(text), MAX_LINE_CHARS));
}

/** A JSON line of the proxy's log, as people read it. */
function ownLog(text: string): string | null {
  if (!text.startsWith('{"time":')) return null;
  try {
    const { time: _, level: __, event, ...fields } = JSON.parse(text);
    const pairs = Object.entries(fields).filter(([, value]) => value !== null && value !== "")
      .map(([name, value]) => `${name}=${typeof value === "object" ? "{}" : String(value)}`);
    return [asText(event), ...pairs].join(" ");
  } catch {
    return null;
  }
}

export function logText({ at, part, priority, text }: LogLine): string {
  const level = priority <= 3 ? "error: " : priority === 4 ? "warning: " : "";
  return `${at.slice(0, 19).replace("T", " ")}  ${part.padEnd(8)}  ${level}${text}\n`;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** A frame as lines for a terminal of some size, or as plain text. Pure. @module */

import type { UnitState } from "../../probe/units.ts";
import { type Verdict, type VerdictKind, verdictText } from "../../probe/verdict.ts";
import { logText } from "../journal.ts";
import { isUnitWell } from "../snapshot.ts";
import { megabytes, shown } from "../text.ts";
import type { Frame } from "./frame.ts";

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

type Style = "plain" | "bold" | "good" | "bad" | "warn" | "dim";
/** Pieces of one line. */
type Line = readonly (readonly [Style, string])[];

const CODES: Readonly<Record<Style, string>> = {
  plain: "",
  bold: "\x1b[1m",
  good: "\x1b[32m",
  bad: "\x1b[31m",
  warn: "\x1b[33m",
  dim: "\x1b[2m",
};
const VERDICT_STYLE: Readonly<Record<VerdictKind, Style>> = {
  ok: "good",
  degraded: "warn",
  starting: "warn",
  draining: "warn",
  unreachable: "bad",
  unhealthy: "bad",
  unauthenticated: "bad",
  stranger: "bad",
};
/** Of the models' names. */
const SHOWN_MODELS = 12;

/** Exactly as many lines as there are rows, none wider than the terminal. */
export function drawScreen(frame: Frame, size: Size, color: boolean): readonly string[] {
  const head = headLines(frame);
  const foot: Line = [["dim", "q quits, r refreshes"]];
  const room = Math.max(0, size.rows - 1 - head.length);
  const logs = room === 0 ? [] : logLines(frame).slice(-room);
  const lines = [...head, ...logs].slice(0, Math.max(0, size.rows - 1));
  while (lines.length < size.rows - 1) lines.push([]);
  return [...lines, foot].map((line) => paint(line, size.columns, color));
}

/** All of it, for a pipe. */
export function drawText(frame: Frame): string {
  return [...headLines(frame), ...logLines(frame)]
    .map((line) => line.map(([, text]) => text).join("").trimEnd() + "\n").join("");
}

function headLines(frame: Frame): readonly Line[] {
  const { snapshot, atMs } = frame;
  const { settings, proxy, gateway, units, tunnels } = snapshot;
  const at = new Date(atMs).toISOString().slice(0, 19).replace("T", " ");
  return [
    [["bold", "openclaw"], ["plain", `  ${settings.role}, ${settings.provider}  `], ["dim", at]],
    [],
    ...(gateway === null
      ? []
      : [verdictLine("gateway", gateway.verdict, gateway.untrustedVersion)]),
    ...(proxy === null ? [] : [verdictLine("proxy", proxy.verdict, proxy.untrustedVersion)]),
    ...(proxy?.providers ?? []).map((one): Line => [
      ["plain", `  ${shown(one.name, 24).padEnd(14)} `],
      one.keyMissing
        ? ["bad", "no key"]
        : one.keyRefused
        ? ["bad", "key refused"]
        : one.state === "open"
        ? ["warn", "left alone"]
        : ["good", "good"],
    ]),
    ...(proxy === null ? [] : [modelsLine(proxy.untrustedModels)]),
    ...trafficLines(frame),
    [],
    ...units.map(unitLine),
    ...(snapshot.unitsError === null ? [] : [[["bad", snapshot.unitsError]] as Line]),
    ...(tunnels ?? []).map(({ port, vm, remotePort, mode, open }): Line => [
      ["plain", `tunnel ${port} -> ${vm}:${remotePort}  ${mode}, ${open} open`],
    ]),
    ...(tunnels !== null && tunnels.length === 0 ? [[["bad", "no tunnel runs"]] as Line] : []),
    [],
  ];
}

function verdictLine(name: string, verdict: Verdict, untrustedVersion: string | null): Line {
  return [
    ["plain", name.padEnd(10)],
    [VERDICT_STYLE[verdict.kind], verdictText(verdict)],
    ["dim", untrustedVersion === null ? "" : `  ${shown(untrustedVersion, 40)}`],
  ];
}

function modelsLine(models: readonly string[] | null): Line {
  if (models === null) return [["plain", "models    "], ["bad", "no list"]];
  const names = models.slice(0, SHOWN_MODELS).map((name) => shown(name, 60)).join(" ");
  return [["plain", `models    ${models.length}  `], ["dim", names]];
}

function trafficLines({ snapshot: { proxy }, today, requestsPerMinute }: Frame): readonly Line[] {
  if (proxy === null) return [];
  const { activeRequests, requests, spend } = proxy;
  if (requests === null && activeRequests === null) return [];
  const perMinute = requestsPerMinute === null ? "" : `, ${requestsPerMinute.toFixed(1)} a minute`;
  const lines: Line[] = [[[
    "plain",
    `requests  ${activeRequests ?? 0} under way, ${requests ?? 0} since its start${perMinute}`,
  ]]];
  const money = (dollars: number): string => `$${dollars.toFixed(4)}`;
  lines.push([[
    "plain",
    today === null
      ? `spend     ${money(spend ?? 0)} since its start`
      : `spend     ${money(today.spend)} today, ${today.requests} requests, ${today.tokens} tokens`,
  ]]);
  return lines;
}

function unitLine(unit: UnitState): Line {
  const { load, active, sub, memoryBytes, restarts } = unit;
  const state = load === "loaded" ? `${active} (${sub})` : load;
  return [
    ["plain", unit.unit.padEnd(36) + " "],
    [isUnitWell(unit) ? "good" : "bad", state.padEnd(20)],
    ["plain", ` ${megabytes(memoryBytes).padStart(8)}`],
    ["dim", restarts > 0 ? `  ${restarts} restarts` : ""],
  ];
}

function logLines({ logs, logsError }: Frame): readonly Line[] {
  if (logsError !== null) return [[["warn", logsError]]];
  return logs.map((line): Line => [
    [line.priority <= 3 ? "bad" : line.priority === 4 ? "warn" : "dim", logText(line).trimEnd()],
  ]);
}

function paint(line: Line, columns: number, color: boolean): string {
  let room = columns;
  let out = "";
  for (const [style, text] of line) {
    const piece = text.slice(0, room);
    room -= piece.length;
    if (piece === "") continue;
    out += color && style !== "plain" ? `${CODES[style]}${piece}\x1b[0m` : piece;
  }
  return out;
}

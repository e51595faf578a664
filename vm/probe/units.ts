// SPDX-License-Identifier: GPL-2.0-or-later
/** The units of this VM's parts: their names, what systemd says of them, and restarting one. @module */

import { UserError } from "../../shared/cli/program.ts";
import { printable } from "../../shared/protocol/printable.ts";
import type { Role, VmSettings } from "../settings/vm_settings.ts";
import type { Run } from "./run_program.ts";

export type Part = "proxy" | "gateway" | "watchdog" | "tunnel";

export interface UnitName {
  readonly part: Part;
  readonly unit: string;
  readonly scope: "system" | "user";
}

export interface UnitState extends UnitName {
  /** "loaded", "not-found", "masked", … */
  readonly load: string;
  /** "active", "activating", "deactivating", "reloading", "inactive", "failed". */
  readonly active: string;
  readonly sub: string;
  /** "enabled", "disabled", "static", … ; empty for none. */
  readonly file: string;
  /** How its last process ended, where one did. */
  readonly exitStatus: number | null;
  readonly restarts: number;
  readonly memoryBytes: number | null;
  /** Of the processor, since its start. */
  readonly cpuMs: number | null;
  readonly activeSinceMs: number | null;
}

const SHOW_MS = 10_000;
/** The gateway lets its work end first, for up to 315 s. */
const TURN_MS = 400_000;

/** A client of an agent VM with a key qube has none: that proxy serves the agent alone. */
export function hasProxy({ role, keyQube }: Pick<VmSettings, "role" | "keyQube">): boolean {
  return role !== "client" || !keyQube;
}

/** The parts that run in this VM. A port that is a tunnel's has no unit of the part itself. */
export function partsOf({ role, keyQube }: Pick<VmSettings, "role" | "keyQube">): readonly Part[] {
  const parts: Readonly<Record<Role, readonly Part[]>> = {
    agent: keyQube ? ["tunnel", "gateway", "watchdog"] : ["proxy", "gateway", "watchdog"],
    keys: ["proxy", "watchdog"],
    client: ["tunnel"],
  };
  return parts[role];
}

export function unitsOf(settings: VmSettings): readonly UnitName[] {
  return partsOf(settings).map((part) => unitOf(part, settings));
}

export function unitOf(part: Part, { role, units }: VmSettings): UnitName {
  if (role === "client") return { part, unit: "openclaw-connect.service", scope: "user" };
  const unit = units === "system" ? `qubes-openclaw-${part}.service` : `openclaw-${part}.service`;
  return { part, unit, scope: units };
}

const PROPERTIES = [
  "Id",
  "LoadState",
  "ActiveState",
  "SubState",
  "UnitFileState",
  "ExecMainStatus",
  "NRestarts",
  "MemoryCurrent",
  "CPUUsageNSec",
  "ActiveEnterTimestamp",
];

/** @throws {UserError} if systemctl is not there, or reaches no systemd */
export async function showUnits(
  names: readonly UnitName[],
  run: Run,
): Promise<readonly UnitState[]> {
  const states: UnitState[] = [];
  for (const scope of ["system", "user"] as const) {
    const wanted = names.filter((name) => name.scope === scope);
    if (wanted.length === 0) continue;
    const { code, untrustedOut, untrustedErr } = await run([
      ...systemctl(scope),
      "show",
      "--timestamp=unix",
      `--property=${PROPERTIES.join(",")}`,
      "--",
      ...wanted.map(({ unit }) => unit),
    ], SHOW_MS);
    if (code !== 0) throw new UserError(printable(untrustedErr.trim() || `code ${code}`, 200));
    states.push(...parseShow(untrustedOut, wanted));
  }
  return states;
}

/** Blocks of NAME=VALUE lines, one for each unit, with an empty line between them. */
export function parseShow(text: string, wanted: readonly UnitName[]): readonly UnitState[] {
  const blocks = new Map<string, ReadonlyMap<string, string>>();
  for (const block of text.split(/\n\n+/)) {
    const values = new Map(
      block.split("\n").map((line): [string, string] => {
        const at = line.indexOf("=");
        return [line.slice(0, at), line.slice(at + 1)];
      }),
    );
    blocks.set(values.get("Id") ?? "", values);
  }
  return wanted.map((name) => {
    const values = blocks.get(name.unit);
    const since = numberOf(values?.get("ActiveEnterTimestamp")?.replace(/^@/, ""));
    return {
      ...name,
      load: values?.get("LoadState") ?? "unknown",
      active: values?.get("ActiveState") ?? "unknown",
      sub: values?.get("SubState") ?? "",
      file: values?.get("UnitFileState") ?? "",
      exitStatus: numberOf(values?.get("ExecMainStatus")),
      restarts: numberOf(values?.get("NRestarts")) ?? 0,
      memoryBytes: numberOf(values?.get("MemoryCurrent")),
      cpuMs: cpuMsOf(values?.get("CPUUsageNSec")),
      activeSinceMs: since === null || since === 0 ? null : since * 1000,
    };
  });
}

function cpuMsOf(text: string | undefined): number | null {
  return text !== undefined && /^[0-9]{1,18}$/.test(text) ? Number(text) / 1e6 : null;
}

/** null for what systemd has not set: words, or the largest number there is. */
function numberOf(text: string | undefined): number | null {
  return text !== undefined && /^[0-9]{1,15}$/.test(text) ? Number(text) : null;
}

export type UnitVerb = "start" | "stop" | "restart";

/**
 * @param wait until it is done; else only until systemd has taken the order
 * @returns null if it was done, or systemctl's words
 */
export async function turnUnit(
  { unit, scope }: UnitName,
  verb: UnitVerb,
  run: Run,
  wait: "wait" | "no-wait",
): Promise<string | null> {
  const { code, untrustedErr } = await run([
    ...systemctl(scope),
    "--no-ask-password",
    ...(wait === "wait" ? [] : ["--no-block"]),
    verb,
    "--",
    unit,
  ], TURN_MS);
  return code === 0 ? null : untrustedErr.trim() || `systemctl ended with code ${code}`;
}

function systemctl(scope: "system" | "user"): readonly string[] {
  return scope === "user" ? ["systemctl", "--user"] : ["systemctl"];
}

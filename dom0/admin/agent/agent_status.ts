// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What an agent VM says of itself ("openclaw-ctl status --json", "usage --json"), read into values of
 * known form. It is only that qube's claim: a missing or malformed field counts as "not said".
 *
 * @module
 */

export interface AgentStatus {
  readonly role: string;
  readonly provider: string;
  readonly units: string;
  readonly proxyPort: number | null;
  readonly gatewayPort: number | null;
  readonly proxy: Endpoint | null;
  readonly gateway: Endpoint | null;
  readonly providers: readonly Provider[];
  readonly parts: readonly PartState[];
  readonly problem: string;
  readonly activeRequests: number | null;
}

export interface Endpoint {
  readonly url: string;
  /** "ok", "degraded", "starting", "draining", "unreachable", "unhealthy", … */
  readonly state: string;
  readonly detail: string;
  readonly version: string;
}

export interface Provider {
  readonly name: string;
  readonly kind: string;
  /** Of its breaker: "closed" is good. */
  readonly state: string;
  readonly keyRefused: boolean;
  readonly keyMissing: boolean;
}

export interface PartState {
  readonly part: string;
  readonly unit: string;
  readonly active: string;
  readonly load: string;
  readonly restarts: number | null;
  readonly memoryBytes: number | null;
}

export interface Use {
  /** "books": of this VM's proxy, by client and day. "counters": since it was started. */
  readonly source: string;
  readonly rows: readonly UseRow[];
  readonly detail: string;
}

export interface UseRow {
  readonly day: string | null;
  readonly client: string | null;
  readonly model: string | null;
  readonly requests: number;
  readonly tokens: number;
  /** In US dollars. */
  readonly spend: number;
}

/** What an agent VM may have; a part of another name cannot be turned on or off from here. */
const PARTS: ReadonlySet<string> = new Set(["proxy", "gateway", "watchdog", "tunnel"]);
const UNIT = /^[A-Za-z0-9@._-]{1,80}$/;

/** A qube that says more is not read further. */
const MOST_ROWS = 5_000;
const MOST_PARTS = 50;

/** @returns null if it is no such answer at all */
export function readStatus(untrustedText: string): AgentStatus | null {
  const all = parse(untrustedText);
  if (all === null) return null;
  const vm = fields(all["vm"]);
  const proxy = fieldsOrNull(all["proxy"]);
  return {
    role: text(vm["role"]),
    provider: text(vm["provider"]),
    units: text(vm["units"]),
    proxyPort: number(vm["proxyPort"]),
    gatewayPort: number(vm["gatewayPort"]),
    proxy: endpoint(proxy),
    gateway: endpoint(fieldsOrNull(all["gateway"])),
    providers: list(proxy?.["providers"]).map(provider),
    parts: list(all["units"]).map(partState).filter(({ part }) => PARTS.has(part)),
    problem: text(all["unitsError"]),
    activeRequests: number(proxy?.["activeRequests"]),
  };
}

/** @returns null if it is no such answer at all */
export function readUse(untrustedText: string): Use | null {
  const all = parse(untrustedText);
  if (all === null) return null;
  const rows = (Array.isArray(all["rows"]) ? all["rows"] : []).slice(0, MOST_ROWS).map(fields);
  return { source: text(all["source"]), detail: text(all["detail"]), rows: rows.map(useRow) };
}

function endpoint(of: Fields | null): Endpoint | null {
  if (of === null) return null;
  const { url, state, detail, version } = of;
  return { url: text(url), state: text(state), detail: text(detail), version: text(version) };
}

function provider({ name, kind, state, keyRefused, keyMissing }: Fields): Provider {
  return {
    name: text(name),
    kind: text(kind),
    state: text(state),
    keyRefused: keyRefused === true,
    keyMissing: keyMissing === true,
  };
}

function partState({ part, unit, active, load, restarts, memoryBytes }: Fields): PartState {
  return {
    part: text(part),
    unit: UNIT.test(text(unit)) ? text(unit) : "",
    active: text(active),
    load: text(load),
    restarts: number(restarts),
    memoryBytes: number(memoryBytes),
  };
}

function useRow({ day, client, model, requests, tokens, spend }: Fields): UseRow {
  return {
    day: /^\d{4}-\d{2}-\d{2}$/.test(text(day)) ? text(day) : null,
    client: text(client) || null,
    model: text(model) || null,
    requests: number(requests) ?? 0,
    tokens: number(tokens) ?? 0,
    spend: number(spend) ?? 0,
  };
}

type Fields = Readonly<Record<string, unknown>>;

function parse(untrustedText: string): Fields | null {
  try {
    return fieldsOrNull(JSON.parse(untrustedText));
  } catch {
    return null;
  }
}

function fieldsOrNull(value: unknown): Fields | null {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as Fields
    : null;
}

function fields(value: unknown): Fields {
  return fieldsOrNull(value) ?? {};
}

function list(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.slice(0, MOST_PARTS).map(fields) : [];
}

function text(value: unknown): string {
  return typeof value === "string" ? value.slice(0, 300) : "";
}

function number(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

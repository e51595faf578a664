// SPDX-License-Identifier: GPL-2.0-or-later
/** "openclaw-ctl status": one look at everything. @module */

import type { PortState } from "../../../shared/tunnel/carry/port_account.ts";
import type { UnitState } from "../../probe/units.ts";
import { type Verdict, verdictText } from "../../probe/verdict.ts";
import type { Outcome, Scene } from "../scene.ts";
import { isWell, type ProxySeen, type Snapshot, takeSnapshot } from "../snapshot.ts";
import { megabytes, shown, table } from "../text.ts";

export async function status(scene: Scene): Promise<Outcome> {
  const snapshot = await takeSnapshot(scene);
  return { ok: isWell(snapshot), text: statusText(snapshot), json: statusJson(snapshot) };
}

export function statusText(snapshot: Snapshot): string {
  const { proxy, gateway, units, unitsError, tunnels, flags } = snapshot;
  const lines = [
    roleLine(snapshot),
    ...(proxy === null ? [] : proxyLines(proxy)),
    ...(gateway === null ? [] : [
      `gateway  ${verdictText(gateway.verdict)}${
        version(gateway.untrustedVersion)
      }, ${gateway.url}`,
    ]),
  ].map((line) => line + "\n");
  if (unitsError !== null) lines.push(`units    systemd cannot be asked: ${unitsError}\n`);
  if (units.length > 0) lines.push(table(units.map(unitRow)));
  if (tunnels !== null) lines.push(...tunnelLines(tunnels));
  if (flags !== null) {
    const words = flags.map(({ flag, isSet }) => `${flag} ${isSet ? "on" : "off"}`);
    lines.push(`qvm-service flags: ${words.join(", ")}\n`);
  }
  return lines.join("");
}

function proxyLines({ verdict, untrustedVersion, url, untrustedModels, providers }: ProxySeen) {
  const models = untrustedModels === null ? "" : `, ${untrustedModels.length} models`;
  return [
    `proxy    ${verdictText(verdict)}${version(untrustedVersion)}, ${url}${models}`,
    ...providers.map(({ name, kind, state, keyRefused, keyMissing }) => {
      const key = keyMissing ? NO_KEY : keyRefused ? "it refuses the key" : undefined;
      return `  ${shown(name, 40)} (${shown(kind, 20)}): ${key ?? providerState(state)}`;
    }),
  ];
}

const NO_KEY = 'the proxy has no key for it; "openclaw-proxy check-config" says why';

function roleLine({ settings: { role, provider, keyQube, units } }: Snapshot): string {
  const keys = keyQube ? ", the keys in another VM" : "";
  return role === "client"
    ? "role     client: what is here are tunnels to the agent VM"
    : `role     ${role} (${provider}${keys}; ${units} units)`;
}

function providerState(state: string): string {
  const words = new Map([
    ["closed", "good"],
    ["open", "left alone after failures"],
    ["half-open", "tried again"],
  ]);
  return words.get(state) ?? shown(state, 20);
}

function version(untrusted: string | null): string {
  return untrusted === null ? "" : `, version ${shown(untrusted, 40)}`;
}

export function unitRow(unit: UnitState): readonly (string | number)[] {
  const { load, active, sub, file, memoryBytes, restarts } = unit;
  return [
    unit.unit,
    load === "loaded" ? `${active} (${sub})` : load,
    file || "-",
    `${restarts} restarts`,
    megabytes(memoryBytes),
  ];
}

export function tunnelLines(tunnels: readonly PortState[]): readonly string[] {
  if (tunnels.length === 0) return ["tunnel   none runs\n"];
  return tunnels.map(({ port, vm, remotePort, mode, open, failed, lastFailure }) =>
    `tunnel   port ${port} -> ${vm} port ${remotePort}, ${mode}, ${open} open, ${failed} failed` +
    (lastFailure === null ? "" : `, last: ${lastFailure.class}`) + "\n"
  );
}

/** The shape of "status --json" and of "top --once --json", as the manual documents it. */
export function statusJson(snapshot: Snapshot): Readonly<Record<string, unknown>> {
  const { settings, proxy, gateway, units, unitsError, tunnels, flags } = snapshot;
  const { role, provider, keyQube, proxyPort, gatewayPort } = settings;
  return {
    vm: { role, provider, keyQube, units: settings.units, proxyPort, gatewayPort },
    proxy: proxy === null ? null : {
      url: proxy.url,
      ...verdictJson(proxy.verdict),
      version: proxy.untrustedVersion,
      models: proxy.untrustedModels?.length ?? null,
      providers: proxy.providers,
      activeRequests: proxy.activeRequests,
      requests: proxy.requests,
      spend: proxy.spend,
    },
    gateway: gateway === null ? null : {
      url: gateway.url,
      ...verdictJson(gateway.verdict),
      version: gateway.untrustedVersion,
    },
    units,
    unitsError,
    tunnels,
    flags,
  };
}

function verdictJson(verdict: Verdict) {
  return { state: verdict.kind, detail: "text" in verdict ? verdict.text : null };
}

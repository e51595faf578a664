// SPDX-License-Identifier: GPL-2.0-or-later
/** The state of this VM's parts at one moment, including what does not answer. @module */

import { exists } from "../../shared/io/files.ts";
import { UserError } from "../../shared/cli/program.ts";
import { readStates } from "../../shared/tunnel/state_file.ts";
import type { PortState } from "../../shared/tunnel/carry/port_account.ts";
import { objectOf } from "../probe/http_answer.ts";
import { metricSum } from "../probe/metrics_text.ts";
import { gatewayUrl, type Probed, probeGateway, probeProxy, proxyUrl } from "../probe/probe.ts";
import { hasProxy, partsOf, showUnits, unitsOf, type UnitState } from "../probe/units.ts";
import { providersOf, type ProviderState } from "../probe/verdict.ts";
import type { VmSettings } from "../settings/vm_settings.ts";
import { ANSWER_MS, type CtlPlaces, type Scene } from "./scene.ts";

export interface Snapshot {
  readonly settings: VmSettings;
  /** null where there is none, for example in a client of an agent VM with a key qube. */
  readonly proxy: ProxySeen | null;
  /** null where there is none, for example in the key qube. */
  readonly gateway: (Probed & { readonly url: string }) | null;
  readonly units: readonly UnitState[];
  /** Why systemd could not be asked. */
  readonly unitsError: string | null;
  /** Ports here that lead to another VM; null where there need be none. */
  readonly tunnels: readonly PortState[] | null;
  /** The flags of qvm-service; null for user units, which have none. */
  readonly flags: readonly { readonly flag: string; readonly isSet: boolean }[] | null;
}

export interface ProxySeen extends Probed {
  readonly url: string;
  readonly providers: readonly ProviderState[];
  /** null: it does not say. */
  readonly untrustedModels: readonly string[] | null;
  readonly activeRequests: number | null;
  readonly requests: number | null;
  /** Since it was started, in US dollars. */
  readonly spend: number | null;
}

export async function takeSnapshot(scene: Scene): Promise<Snapshot> {
  const { settings, ask, places } = scene;
  const gatewayAt = gatewayUrl(settings);
  const [proxy, gateway, units, tunnels, flags] = await Promise.all([
    hasProxy(settings) ? seeProxy(scene) : null,
    settings.role === "keys" ? null : probeGateway(gatewayAt, ask, ANSWER_MS),
    unitStates(scene),
    partsOf(settings).includes("tunnel") ? tunnelPorts(places) : null,
    settings.units === "system" && settings.role !== "client" ? serviceFlags(scene) : null,
  ]);
  const url = `${gatewayAt}/`;
  return {
    settings,
    proxy,
    tunnels,
    flags,
    ...units,
    gateway: gateway === null ? null : { ...gateway, url },
  };
}

async function seeProxy({ settings, ask }: Scene): Promise<ProxySeen> {
  const at = proxyUrl(settings);
  const [proxy, models, metrics] = await Promise.all([
    probeProxy(at, ask, ANSWER_MS),
    ask(`${at}/v1/models`, { timeoutMs: ANSWER_MS }),
    ask(`${at}/metrics`, { timeoutMs: ANSWER_MS }),
  ]);
  const text = metrics.kind === "answer" && metrics.status === 200 ? metrics.untrustedText : "";
  return {
    ...proxy,
    url: `${at}/v1`,
    untrustedModels: modelIds(objectOf(models)),
    providers: providersOf(objectOf(proxy.answer) ?? {}),
    activeRequests: metricSum(text, "openclaw_proxy_active_requests"),
    requests: metricSum(text, "openclaw_proxy_requests_total"),
    spend: metricSum(text, "openclaw_proxy_spend_dollars_total"),
  };
}

/** The ports that a tunnel is to have here. */
export function tunnelPortsWanted(settings: VmSettings): readonly number[] {
  if (!partsOf(settings).includes("tunnel")) return [];
  const { role, proxyPort, gatewayPort } = settings;
  return [...(hasProxy(settings) ? [proxyPort] : []), ...(role === "client" ? [gatewayPort] : [])];
}

export function modelIds(body: Readonly<Record<string, unknown>> | null): readonly string[] | null {
  if (body === null || !Array.isArray(body["data"])) return null;
  return body["data"].flatMap((one: unknown) => {
    const id = typeof one === "object" && one !== null && "id" in one ? one.id : null;
    return typeof id === "string" ? [id] : [];
  });
}

async function unitStates({ settings, run }: Scene) {
  try {
    return { units: await showUnits(unitsOf(settings), run), unitsError: null };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { units: [], unitsError: error.message };
  }
}

export async function tunnelPorts({ root, runtime }: CtlPlaces): Promise<readonly PortState[]> {
  const folders = [`${root}/run/openclaw`, `${runtime}/openclaw`];
  const states = await Promise.all(folders.map(readStates));
  return states.flat().flatMap(({ ports }) => ports);
}

async function serviceFlags({ places, settings }: Scene) {
  return await Promise.all(
    partsOf(settings).map(async (part) => {
      const flag = part === "tunnel" ? "openclaw-tunnels" : `openclaw-${part}`;
      return { flag, isSet: await exists(`${places.root}/run/qubes-service/${flag}`) };
    }),
  );
}

/** Whether everything that should run here runs and answers. */
export function isWell({ proxy, gateway, units, tunnels }: Snapshot): boolean {
  const lives = (probed: Probed | null): boolean =>
    probed === null || probed.verdict.kind === "ok" || probed.verdict.kind === "degraded";
  return lives(proxy) && lives(gateway) && units.every(isUnitWell) &&
    (tunnels === null || tunnels.length > 0);
}

/** The watchdog and the tunnel do not count: another program may do their work. */
export function isUnitWell({ part, active }: UnitState): boolean {
  return active === "active" || active === "reloading" ||
    ((part === "watchdog" || part === "tunnel") && active === "inactive");
}

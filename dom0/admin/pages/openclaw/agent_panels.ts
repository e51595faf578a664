// SPDX-License-Identifier: GPL-2.0-or-later
/** How an agent VM does, in panels: endpoints, parts, providers, tunnels, configuration. @module */

import type { View } from "../../admin_context.ts";
import type { AgentStatus, Endpoint, PartState, Provider } from "../../agent/agent_status.ts";
import type { AgentSeen } from "../../agent/agent_watch.ts";
import { Dom0Error, type RunResult } from "../../channel/dom0_channel.ts";
import { type Content, type Html, lines, markup } from "../../markup/markup.ts";
import type { TunnelState } from "../../../../shared/tunnel/state_file.ts";
import { count, empty, panel, state, type StateShape, table, time, token } from "../parts.ts";

const MIB = 1024 * 1024;

/** The state of an endpoint, as openclaw-ctl says it, with the shape and the words for a person. */
const STATES: ReadonlyMap<string, readonly [StateShape, string]> = new Map<
  string,
  readonly [StateShape, string]
>([
  ["ok", ["ok", "Answers"]],
  ["degraded", ["wait", "Answers, with trouble"]],
  ["starting", ["busy", "Starting"]],
  ["draining", ["busy", "Ending its work"]],
  ["unreachable", ["bad", "Does not answer"]],
  ["unhealthy", ["bad", "Answers that it is ill"]],
  ["unauthenticated", ["bad", "Its key is refused"]],
  ["stranger", ["bad", "Something else answers"]],
]);

/** What each endpoint is called, for this page and the Dashboard. */
export function endpointRows(status: AgentStatus): readonly (readonly [string, Endpoint])[] {
  const { proxy, gateway } = status;
  return [["API", proxy] as const, ["Gateway", gateway] as const]
    .flatMap(([name, endpoint]) => endpoint === null ? [] : [[name, endpoint] as const]);
}

export function endpointState({ state: word, detail }: Endpoint): Html {
  const [shape, words] = STATES.get(word) ?? ["off" as const, "Not said"];
  return markup`${state(shape, words)}${
    detail !== "" && markup`<div class="small soft">${detail}</div>`
  }`;
}

export function endpoints(view: View, seen: AgentSeen | null): Html {
  const status = seen?.status ?? null;
  const aside = seen === null ? "" : markup`asked ${time(seen.seenMs, view.nowMs)}`;
  return panel(
    { title: "Endpoints in the qube", id: "endpoints", aside },
    status === null ? empty("Nothing is known of them.") : table(
      [{ name: "Endpoint" }, { name: "Address" }, { name: "Health" }, {
        name: "Version",
      }],
      endpointRows(status).map(([name, endpoint]) => ({
        cells: [
          name,
          markup`<code>${endpoint.url}</code>`,
          endpointState(endpoint),
          endpoint.version || markup`<span class="soft">not said</span>`,
        ],
      })),
    ),
  );
}

export function parts(view: View, vm: string, status: AgentStatus | null): Html {
  return panel(
    { title: "Parts", id: "parts", aside: status === null ? "" : `${status.units} units` },
    status === null || status.parts.length === 0
      ? empty(status?.problem || "No part is known.")
      : table(
        [{ name: "Part" }, { name: "State" }, { name: "Memory", look: "num" }, {
          name: "Restarts",
          look: "num",
        }, { name: "Action", look: "num", isSilent: true }],
        status.parts.map((one) => ({
          cells: [
            markup`${one.part}<div class="small soft"><code>${
              one.unit.replace(/\.service$/, "")
            }</code></div>`,
            partState(one),
            one.memoryBytes === null ? "" : `${count(Math.round(one.memoryBytes / MIB))} MB`,
            one.restarts ?? "",
            turns(view, vm, one),
          ],
        })),
        "edits",
      ),
  );
}

/** As systemd calls them. */
const UNIT_STATES: ReadonlyMap<string, readonly [StateShape, string]> = new Map<
  string,
  readonly [StateShape, string]
>([
  ["active", ["ok", "Runs"]],
  ["inactive", ["off", "Stopped"]],
  ["failed", ["bad", "Failed"]],
  ["activating", ["busy", "Starting"]],
  ["deactivating", ["busy", "Stopping"]],
  ["reloading", ["busy", "Reloading"]],
]);

function partState({ active, load }: PartState): Html {
  if (load !== "loaded") return state("bad", "Not installed");
  const [shape, words] = UNIT_STATES.get(active) ?? ["off" as const, "Not said"];
  return state(shape, words);
}

function turns({ session }: View, vm: string, { part, active }: PartState): Content {
  const button = (operation: string, words: string): Html =>
    markup`<button class="lean" name="operation" value="${operation}">${words}<span class="vh"> ${part}</span></button>`;
  return markup`<form method="post" action="/openclaw/${encodeURIComponent(vm)}/turn">${
    token(session)
  }<input type="hidden" name="part" value="${part}">${
    active === "active"
      ? markup`${button("openclaw.restart", "Restart")}${button("openclaw.stop", "Stop")}`
      : button("openclaw.start", "Start")
  }</form>`;
}

export function providers(status: AgentStatus | null): Html {
  const all = status?.providers ?? [];
  return panel(
    { title: "Providers", aside: "as the proxy sees them" },
    all.length === 0 ? empty("The proxy names none.") : table(
      [{ name: "Provider" }, { name: "Kind" }, { name: "State" }],
      all.map((one) => ({
        cells: [markup`<code>${one.name}</code>`, one.kind, providerState(one)],
      })),
    ),
  );
}

function providerState({ state: word, keyRefused, keyMissing }: Provider): Html {
  if (keyMissing) return state("bad", "It has no key");
  if (keyRefused) return state("bad", "It refuses the key");
  if (word === "closed") return state("ok", "Good");
  return word === "open"
    ? state("wait", "Left alone after failures")
    : word === "half-open"
    ? state("busy", "Tried again")
    : state("off", "Not said");
}

export function tunnels(result: RunResult | Dom0Error): Html {
  const states = tunnelStates(result);
  const rows = states.flatMap(({ ports }) => ports);
  return panel(
    { title: "Tunnels of dom0", id: "tunnels", aside: markup`<code>openclaw-tunnel</code>` },
    rows.length === 0
      ? empty(
        "No tunnel runs in dom0.",
        markup`<span class="soft">In dom0’s terminal: <code>systemctl status openclaw-tunnels</code></span>`,
      )
      : table(
        [{ name: "Port", look: "row-word" }, { name: "To", look: "row-word" }, { name: "Way" }, {
          name: "Open",
          look: "num",
        }, {
          name: "Failed",
          look: "num",
        }, { name: "Carried", look: "num" }],
        rows.map((
          { address, port, vm, remotePort, mode, open, failed, bytesUp, bytesDown, lastFailure },
        ) => ({
          cells: [
            markup`<code>${address}:${port}</code>`,
            markup`<bdi>${vm}</bdi> ${remotePort}`,
            markup`${mode}${
              lastFailure !== null &&
              markup`<div class="small soft">last failure: ${lastFailure.text}</div>`
            }`,
            open,
            failed,
            `${((bytesUp + bytesDown) / MIB).toFixed(1)} MB`,
          ],
        })),
        "edits",
      ),
  );
}

function tunnelStates(result: RunResult | Dom0Error): readonly TunnelState[] {
  if (result instanceof Dom0Error || result.stdout.trim() === "") return [];
  try {
    const all: unknown = JSON.parse(result.stdout);
    return Array.isArray(all) ? all : []; // dom0's own program
  } catch {
    return [];
  }
}

export interface Configured {
  readonly config: RunResult | Dom0Error;
  readonly status: AgentStatus | null;
}

/** Of dom0 the file; of the qube what it goes by. Changed where each is kept. */
export function configuration(_view: View, vm: string, { config, status }: Configured): Html {
  const file = config instanceof Dom0Error || config.exitCode !== 0 ? null : config.stdout;
  const at = `/qubes/${encodeURIComponent(vm)}`;
  return panel(
    { title: "Configuration", id: "config" },
    markup`<div class="body stack">${
      status !== null &&
      markup`<dl class="facts"><dt>Role</dt><dd>${status.role}</dd><dt>Provider</dt><dd>${
        status.provider || "none"
      }</dd><dt>Ports</dt><dd>API ${status.proxyPort ?? "none"}, gateway ${
        status.gatewayPort ?? "none"
      }</dd></dl>`
    }${
      file === null
        ? markup`<p class="soft">dom0 has no <code>/etc/qubes/openclaw.conf</code>.</p>`
        : markup`<p class="small soft">In dom0, <code>/etc/qubes/openclaw.conf</code>, written by <code>setup-dom0</code>:</p><pre tabindex="0" aria-label="Configuration of dom0">${
          lines(file.trimEnd())
        }</pre>`
    }<p class="row"><a class="btn lean" href="${at}#prefs">Autostart and memory</a><a class="btn lean" href="${at}#services">Services</a><a class="btn lean" href="${at}#tags">Tags</a><a class="btn lean" href="${at}#features">Features</a></p><p class="small soft">Edits there are staged. The provider and its key are set in the qube, by <code>setup-vm</code>.</p></div>`,
  );
}

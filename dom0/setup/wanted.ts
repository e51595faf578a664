// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The state of the system that a request asks for, as a list of facts in the order in which
 * they are brought about. Pure: what it needs to know of the system is given to it.
 *
 * @module
 */

import type { VmName } from "../../shared/protocol/vm_name.ts";
import { type Fact, type Wanted, YES } from "./fact.ts";
import type { PrivateIpv4, TcpPort } from "./network_address.ts";
import { agentBlock, netvmBlock } from "./network_rules.ts";
import type { SetupPaths } from "./paths.ts";
import type { AdminRequest, SetupRequest } from "./request.ts";

export const TUNNEL_UNIT = "openclaw-tunnels.service";
const AGENT_SERVICES = ["proxy", "gateway", "watchdog"] as const;
const POLICY_MODE = 0o664;
const CONF_MODE = 0o644;

/** OpenClaw's gateway alone needs up to 1.7 GB; the browser and tools of an agent come on top. */
const CREATED_MEMORY_MIB = 2000;
const CREATED_MAXMEM_MIB = 6000;

/** A netvm on the way from the agent to the outside. */
export interface Hop {
  readonly vm: VmName;
  /** Where packets for the agent go from here. */
  readonly next: PrivateIpv4;
}

export interface Surroundings {
  readonly paths: SetupPaths;
  readonly template: VmName | undefined;
  readonly adminTemplate: VmName | undefined;
  /** VMs that are not there yet, or that an earlier run has made. */
  readonly ours: ReadonlySet<VmName>;
  /** Name and text of each policy file that is to be installed. */
  readonly policies: readonly { readonly name: string; readonly text: string }[];
  /** From the agent outwards; empty in tunnel mode. */
  readonly hops: readonly Hop[];
}

export function wantedFor(request: SetupRequest, around: Surroundings): readonly Wanted[] {
  const { admin } = request;
  return [
    ...agentFacts(request, around),
    ...(admin === undefined ? [] : adminFacts(request, admin, around)),
    ...dom0Files(request, around),
    want({ kind: "enabled", unit: TUNNEL_UNIT }, YES, "the tunnels of dom0 start with dom0"),
    want({ kind: "active", unit: TUNNEL_UNIT }, YES, "the tunnels of dom0 run"),
    ...networkBlocks(request, around),
  ];
}

function agentFacts(request: SetupRequest, around: Surroundings): readonly Wanted[] {
  const { agent, netvm, mode, proxyPort, gatewayPort } = request;
  const isOurs = around.ours.has(agent);
  const memory = request.memory ?? (isOurs ? CREATED_MEMORY_MIB : undefined);
  const maxmem = request.maxmem ?? (isOurs ? CREATED_MAXMEM_MIB : undefined);
  const pref = (name: string, value: unknown, why: string): Wanted[] =>
    value === undefined ? [] : [want({ kind: "pref", vm: agent, name }, String(value), why)];
  return [
    ...creation(
      agent,
      { class: request.class, label: request.label, template: around.template },
      "the VM OpenClaw runs in",
    ),
    ...pref("memory", memory, "memory at start, MiB"),
    ...pref("maxmem", maxmem, "most memory, MiB; OpenClaw needs 4 GB"),
    ...pref("netvm", netvm, "its way to the model providers"),
    ...pref("ip", mode === "network" ? request.ip : undefined, "the fixed address"),
    ...pref("autostart", "True", "starts with the machine"),
    ...tags(agent, { "openclaw-server": "the policy lets clients in", "ai-services": "its group" }),
    ...features(agent, {
      "openclaw-role": "server",
      "openclaw-proxy-port": String(proxyPort),
      "openclaw-gateway-port": String(gatewayPort),
      description: "OpenClaw agent VM",
      ...Object.fromEntries(
        [...AGENT_SERVICES, "tunnels"].map((name) => [`supported-service.openclaw-${name}`, "1"]),
      ),
    }),
    ...AGENT_SERVICES.map((name) => service(agent, `openclaw-${name}`)),
  ];
}

function adminFacts(
  { agent }: SetupRequest,
  admin: AdminRequest,
  { adminTemplate }: Surroundings,
): readonly Wanted[] {
  const { vm, netvm } = admin;
  return [
    ...creation(
      vm,
      { class: "AppVM", label: "blue", template: adminTemplate },
      "the VM the agent is looked after from",
    ),
    // Before the netvm: a network that is given later finds the firewall closed.
    want({ kind: "firewall", vm }, YES, "qrexec only: every packet is dropped"),
    want({ kind: "pref", vm, name: "netvm" }, netvm, "qrexec needs no network"),
    want({ kind: "pref", vm, name: "autostart" }, "True", "starts with the machine"),
    ...tags(vm, {
      "openclaw-admin": "its role",
      "openclaw-client": "may call the agent VM",
      "ai-services": "its group",
    }),
    ...features(vm, {
      "openclaw-role": "admin",
      "openclaw-server-vm": agent,
      description: "OpenClaw admin VM",
      "supported-service.openclaw-tunnels": "1",
    }),
    service(vm, "openclaw-tunnels"),
  ];
}

function dom0Files(request: SetupRequest, { paths, policies }: Surroundings): readonly Wanted[] {
  const { agent, proxyPort, gatewayPort } = request;
  const conf = `# Written by setup-dom0: which VM the tunnels lead to.
OPENCLAW_VM=${agent}
OPENCLAW_PROXY_PORT=${proxyPort}
OPENCLAW_GATEWAY_PORT=${gatewayPort}
`;
  return [
    ...policies.map(({ name, text }) =>
      want(
        { kind: "file", path: `${paths.policyFolder}/${name}`, mode: POLICY_MODE, reader: "" },
        withPorts(text, proxyPort, gatewayPort),
        "who may call whom",
      )
    ),
    want(
      { kind: "file", path: paths.conf, mode: CONF_MODE, reader: TUNNEL_UNIT },
      conf,
      "which VM the tunnels lead to",
    ),
  ];
}

/** The policy names ports; both are replaced in one go, as they may have changed places. */
function withPorts(policy: string, proxy: TcpPort, gateway: TcpPort): string {
  return policy.replace(
    /\+(32125|18789)(?![0-9])/g,
    (_, port) => `+${port === "32125" ? proxy : gateway}`,
  );
}

function networkBlocks(request: SetupRequest, { hops }: Surroundings): readonly Wanted[] {
  if (request.mode !== "network") return [];
  const ports = [request.proxyPort, request.gatewayPort];
  const { agent, ip } = request;
  return [
    want(
      { kind: "block", vm: agent, ...agentBlock(ip, ports) },
      YES,
      `lets connections to ${ip} in`,
    ),
    ...hops.map(({ vm, next }, index) =>
      want(
        { kind: "block", vm, ...netvmBlock(next, index === 0, ports) },
        YES,
        `sends connections from outside on to ${next}`,
      )
    ),
  ];
}

function creation(
  vm: VmName,
  how: { class: "AppVM" | "StandaloneVM"; label: string; template: VmName | undefined },
  why: string,
): readonly Wanted[] {
  return [want({ kind: "vm", vm, ...how }, YES, why)];
}

function tags(vm: VmName, whys: Readonly<Record<string, string>>): readonly Wanted[] {
  return Object.entries(whys).map(([name, why]) => want({ kind: "tag", vm, name }, YES, why));
}

function features(vm: VmName, values: Readonly<Record<string, string>>): readonly Wanted[] {
  return Object.entries(values).map(([name, value]) =>
    want({ kind: "feature", vm, name }, value, "for tools that ask qubesd")
  );
}

function service(vm: VmName, name: string): Wanted {
  return want({ kind: "service", vm, name }, "on", "its unit may start");
}

function want(fact: Fact, to: string, why: string): Wanted {
  return { fact, to, why };
}

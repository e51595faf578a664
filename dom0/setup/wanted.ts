// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The state of the system that a request asks for, as a list of facts in the order in which
 * they are brought about. Pure: what it needs to know of the system is given to it.
 *
 * @module
 */

import type { VmName } from "../../shared/protocol/vm_name.ts";
import { type Wanted, YES } from "./fact.ts";
import type { AdminRequest, KeyQubeRequest } from "./extra_vms.ts";
import type { TcpPort } from "../../shared/io/tcp_port.ts";
import type { PrivateIpv4 } from "./network_address.ts";
import { agentBlock, netvmBlock } from "./network_rules.ts";
import { KEY_QUBE_FEATURE, KEYLESS_TAG } from "./keyless.ts";
import type { SetupPaths } from "./paths.ts";
import type { SetupRequest } from "./request.ts";
import { creation, features, service, tags, want } from "./want.ts";

export const TUNNEL_UNIT = "openclaw-tunnels.service";
/** The agent VM's services that dom0 knows of. */
const SUPPORTED = ["proxy", "gateway", "watchdog", "tunnels"] as const;
/** Those that start in it; with a key qube a tunnel takes the proxy's place. */
const OWN_PROXY = { proxy: "on", gateway: "on", watchdog: "on" } as const;
const KEYLESS = { proxy: "off", tunnels: "on", gateway: "on", watchdog: "on" } as const;
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
  readonly keyTemplate: VmName | undefined;
  /** VMs that are not there yet, or that an earlier run has made. */
  readonly ours: ReadonlySet<VmName>;
  /** Name and text of each policy file to install. */
  readonly policies: readonly { readonly name: string; readonly text: string }[];
  /** From the agent outwards; empty in tunnel mode. */
  readonly hops: readonly Hop[];
}

export function wantedFor(request: SetupRequest, around: Surroundings): readonly Wanted[] {
  const { admin, keyQube } = request;
  return [
    ...(keyQube === undefined ? [] : keyQubeFacts(request, keyQube, around)),
    ...agentFacts(request, around),
    ...(admin === undefined ? [] : adminFacts(request, admin, around)),
    ...policyFiles(request, around),
    ...(request.keepsTunnels ? [] : tunnelFacts(request, around)),
    ...networkBlocks(request, around),
  ];
}

function agentFacts(request: SetupRequest, around: Surroundings): readonly Wanted[] {
  const { agent, netvm, mode, proxyPort, gatewayPort, keyQube } = request;
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
    ...pref(
      "netvm",
      netvm,
      keyQube === undefined ? "its way to the model providers" : "the key qube is its only way out",
    ),
    ...pref("ip", mode === "network" ? request.ip : undefined, "the fixed address"),
    ...pref("autostart", "True", "starts with the machine"),
    ...tags(agent, {
      "openclaw-server": "the policy lets clients in",
      "ai-services": "its group",
      ...keyQube === undefined ? {} : { [KEYLESS_TAG]: "its proxy is in the key qube" },
    }),
    ...features(agent, {
      "openclaw-role": "server",
      "openclaw-proxy-port": String(proxyPort),
      "openclaw-gateway-port": String(gatewayPort),
      ...keyQube === undefined ? {} : { [KEY_QUBE_FEATURE]: keyQube.vm },
      description: "OpenClaw agent VM",
      ...Object.fromEntries(SUPPORTED.map((name) => [`supported-service.openclaw-${name}`, "1"])),
    }),
    ...Object.entries(keyQube === undefined ? OWN_PROXY : KEYLESS).map(([name, to]) =>
      service(agent, `openclaw-${name}`, to)
    ),
  ];
}

function keyQubeFacts(
  { proxyPort }: SetupRequest,
  { vm, netvm }: KeyQubeRequest,
  { keyTemplate }: Surroundings,
): readonly Wanted[] {
  const way = "its way to the model providers";
  return [
    ...creation(
      vm,
      { class: "AppVM", label: "gray", template: keyTemplate },
      "the VM of the proxy and the providers' keys",
    ),
    ...(netvm === undefined ? [] : [want({ kind: "pref", vm, name: "netvm" }, netvm, way)]),
    want({ kind: "pref", vm, name: "autostart" }, "True", "no call starts it"),
    ...tags(vm, { "openclaw-keys": "agent VMs may call its proxy", "ai-services": "its group" }),
    ...features(vm, {
      "openclaw-role": "keys",
      "openclaw-proxy-port": String(proxyPort),
      description: "OpenClaw key qube",
      "supported-service.openclaw-proxy": "1",
    }),
    service(vm, "openclaw-proxy"),
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

function policyFiles(request: SetupRequest, around: Surroundings): readonly Wanted[] {
  const { proxyPort, gatewayPort, keyQube } = request;
  return around.policies.map(({ name, text }) =>
    want(
      { kind: "file", path: `${around.paths.policyFolder}/${name}`, mode: POLICY_MODE, reader: "" },
      withKeyQube(withPorts(text, proxyPort, gatewayPort), keyQube?.vm),
      "who may call whom",
    )
  );
}

/** dom0's own way to the agent VM, of which there is one. */
function tunnelFacts(request: SetupRequest, { paths }: Surroundings): readonly Wanted[] {
  const { agent, proxyPort, gatewayPort, keyQube } = request;
  // What dom0 asked through the agent VM would count as the agent's, and it has no need to ask.
  const conf = `# Written by setup-dom0: which VM the tunnels lead to.
OPENCLAW_VM=${agent}
OPENCLAW_PROXY_PORT=${keyQube === undefined ? proxyPort : "none"}
OPENCLAW_GATEWAY_PORT=${gatewayPort}
`;
  return [
    want(
      { kind: "file", path: paths.conf, mode: CONF_MODE, reader: TUNNEL_UNIT },
      conf,
      "which VM the tunnels lead to",
    ),
    want({ kind: "enabled", unit: TUNNEL_UNIT }, YES, "the tunnels of dom0 start with dom0"),
    want({ kind: "active", unit: TUNNEL_UNIT }, YES, "the tunnels of dom0 run"),
  ];
}

/** The policy names ports; both are replaced in one go, as they may have changed places. */
function withPorts(policy: string, proxy: TcpPort, gateway: TcpPort): string {
  return policy.replace(
    /\+(32125|18789)(?![0-9])/g,
    (_, port) => `+${port === "32125" ? proxy : gateway}`,
  );
}

/** In the file that is only for it, the policy names a key qube "keys". */
function withKeyQube(policy: string, vm: VmName | undefined): string {
  return vm === undefined ? policy : policy.replace(/(?<= target=)keys(?= )/g, vm);
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

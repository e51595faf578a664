// SPDX-License-Identifier: GPL-2.0-or-later
/** What the command line asks for: every name, address and port checked before anything runs. @module */

import {
  expectWords,
  type OptionTable,
  type ParsedWords as Words,
  parseNumber,
  parseWords,
  refuseOptionWord,
} from "../../shared/cli/options.ts";
import { UsageError } from "../../shared/cli/program.ts";
import { printable } from "../../shared/protocol/printable.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import { type AdminRequest, type KeyQubeRequest, parseAdmin, parseKeyQube } from "./extra_vms.ts";
import type { VmClass } from "./fact.ts";
import { type NetvmChoice, netvmName, optional, vmName } from "./vm_words.ts";
import type { TcpPort } from "../../shared/io/tcp_port.ts";
import { parsePrivateIpv4, parseUserPort, type PrivateIpv4 } from "./network_address.ts";

export const SETUP_OPTIONS: OptionTable = {
  "agent-vm": "value",
  template: "value",
  netvm: "value",
  ip: "value",
  mode: "value",
  "admin-vm": "value",
  "admin-template": "value",
  "admin-netvm": "value",
  "key-qube": "value",
  "key-template": "value",
  "key-netvm": "value",
  class: "value",
  label: "value",
  memory: "value",
  maxmem: "value",
  "proxy-port": "value",
  "gateway-port": "value",
  "inter-vm": "flag",
  "keep-tunnels": "flag",
  "dry-run": "flag",
  verify: "flag",
  undo: "flag",
  "remove-vms": "flag",
  yes: "flag",
  json: "flag",
  help: "flag",
  version: "flag",
};

export const SETUP_SHORT = { n: "dry-run", y: "yes", h: "help" } as const;

export const USAGE = "setup-dom0 AGENT-VM [TEMPLATE] [NETVM] [IP] [tunnel|network]";

export type Mode = "tunnel" | "network";
export interface SetupRequest {
  readonly agent: VmName;
  /** undefined: the default of this Qubes. */
  readonly template: VmName | undefined;
  /** undefined: stays as it is. */
  readonly netvm: NetvmChoice | undefined;
  readonly ip: PrivateIpv4;
  /** Whether an address was given that this mode does not use; the user is told. */
  readonly isIpUnused: boolean;
  readonly mode: Mode;
  readonly class: VmClass;
  readonly label: string;
  /** undefined: a default for VMs that are created, and no change for others. */
  readonly memory: number | undefined;
  readonly maxmem: number | undefined;
  readonly proxyPort: TcpPort;
  readonly gatewayPort: TcpPort;
  readonly admin: AdminRequest | undefined;
  /** Where the proxy is, if not in the agent VM. */
  readonly keyQube: KeyQubeRequest | undefined;
  readonly withInterVm: boolean;
  /** dom0's own ports go on leading where they lead: to another agent VM. */
  readonly keepsTunnels: boolean;
}

export type Action =
  | { readonly kind: "help" }
  | { readonly kind: "version" }
  | { readonly kind: "undo"; readonly removeVms: boolean }
  | {
    readonly kind: "setup" | "verify";
    readonly request: SetupRequest;
  };

export interface Invocation {
  readonly action: Action;
  readonly dryRun: boolean;
  readonly json: boolean;
  readonly yes: boolean;
}

const DEFAULT_IP = "10.137.0.100";
const DEFAULT_PROXY_PORT = "32125";
const DEFAULT_GATEWAY_PORT = "18789";
/** Qubes' own labels; a system may have more. */
const LABELS = ["red", "orange", "yellow", "green", "gray", "blue", "purple", "black"];
const MIN_MEMORY_MIB = 400;
const MAX_MEMORY_MIB = 1024 * 1024;

/** @throws {UsageError} naming what does not fit */
export function parseInvocation(words: readonly string[]): Invocation {
  const options = parseWords(words, SETUP_OPTIONS, SETUP_SHORT, "anywhere");
  const flags = {
    dryRun: options.has("dry-run"),
    json: options.has("json"),
    yes: options.has("yes"),
  };
  return { ...flags, action: parseAction(options) };
}

function parseAction(options: Words): Action {
  if (options.has("help")) return { kind: "help" };
  if (options.has("version")) return { kind: "version" };
  if (options.has("undo")) {
    const allowed = new Set(["undo", "remove-vms", "dry-run", "json", "yes"]);
    const other = Object.keys(SETUP_OPTIONS).find((name) =>
      options.has(name) && !allowed.has(name)
    );
    if (other !== undefined) throw new UsageError(`--undo does not go with --${other}`);
    expectWords(options.rest, 0, 0, "setup-dom0 --undo [--remove-vms]");
    return { kind: "undo", removeVms: options.has("remove-vms") };
  }
  if (options.has("remove-vms")) throw new UsageError("--remove-vms goes with --undo only");
  if (options.has("verify") && options.has("dry-run")) {
    throw new UsageError("--verify changes nothing; leave --dry-run out");
  }
  refuseOptionWord(options, SETUP_OPTIONS);
  return { kind: options.has("verify") ? "verify" : "setup", request: parseRequest(options) };
}

function parseRequest(options: Words): SetupRequest {
  expectWords(options.rest, options.has("agent-vm") ? 0 : 1, 5, USAGE);
  const positions = [...options.rest];
  const from = (name: string): string | undefined => {
    const option = options.value(name);
    if (option !== undefined && name === "agent-vm") return option;
    const word = positions.shift();
    if (option !== undefined && word !== undefined) {
      throw new UsageError(`${name} is given twice: ${printable(word)} and --${name}`);
    }
    return word ?? option;
  };
  const agent = vmName("AGENT-VM", from("agent-vm") ?? "");
  const template = optional(from("template"), (text) => vmName("TEMPLATE", text));
  const keyQube = parseKeyQube(options);
  const netvm = optional(from("netvm"), (text) => netvmName("NETVM", text)) ??
    (keyQube === undefined ? undefined : "none");
  const ip = from("ip");
  const mode = parseMode(from("mode") ?? "tunnel");
  const memory = parseMemory(options, "memory");
  const maxmem = parseMemory(options, "maxmem");
  const request: SetupRequest = {
    agent,
    template,
    netvm,
    mode,
    memory,
    maxmem,
    keyQube,
    ip: parsePrivateIpv4(ip ?? DEFAULT_IP),
    isIpUnused: ip !== undefined && mode === "tunnel",
    class: parseClass(options.value("class") ?? "standalone"),
    label: parseLabel(options.value("label") ?? "orange"),
    proxyPort: parseUserPort("--proxy-port", options.value("proxy-port") ?? DEFAULT_PROXY_PORT),
    gatewayPort: parseUserPort(
      "--gateway-port",
      options.value("gateway-port") ?? DEFAULT_GATEWAY_PORT,
    ),
    admin: parseAdmin(options),
    withInterVm: options.has("inter-vm"),
    keepsTunnels: options.has("keep-tunnels"),
  };
  checkTogether(request);
  return request;
}

function checkTogether(request: SetupRequest): void {
  const { mode, netvm, keyQube } = request;
  checkRoles(request);
  if (mode === "network" && netvm === "none") {
    throw new UsageError("network mode needs a netvm", [
      keyQube === undefined
        ? 'leave NETVM out, or use "tunnel"'
        : "with a key qube the agent has no network: that is what it is for",
    ]);
  }
  if (keyQube !== undefined && netvm !== "none") {
    throw new UsageError("with --key-qube the agent VM has no netvm", [
      `leave NETVM out; the way to the model providers is --key-netvm ${netvm ?? ""}`.trimEnd(),
    ]);
  }
  if (request.proxyPort === request.gatewayPort) {
    throw new UsageError(`proxy and gateway cannot both have port ${request.proxyPort}`);
  }
  if (request.memory !== undefined && request.maxmem !== undefined) {
    if (request.maxmem !== 0 && request.maxmem < request.memory) {
      throw new UsageError(`--maxmem ${request.maxmem} is less than --memory ${request.memory}`);
    }
  }
}

/** The VMs that something runs in: none of them may have a second role. */
function checkRoles({ agent, template, netvm, admin, keyQube }: SetupRequest): void {
  const hosts: readonly (readonly [role: string, name: string | undefined])[] = [
    ["AGENT-VM", agent],
    ["--admin-vm", admin?.vm],
    ["--key-qube", keyQube?.vm],
  ];
  const roles = [
    ...hosts,
    ["TEMPLATE", template],
    ["NETVM", netvm],
    ["--admin-template", admin?.template],
    ["--admin-netvm", admin?.netvm],
    ["--key-template", keyQube?.template],
    ["--key-netvm", keyQube?.netvm],
  ];
  for (const [role, name] of hosts) {
    const twin = roles.find(([other, same]) => other !== role && same === name);
    if (name !== undefined && twin !== undefined) {
      throw new UsageError(`${role} and ${twin[0]} are the same qube: ${name}`);
    }
  }
}

function parseMode(text: string): Mode {
  if (text === "tunnel" || text === "network") return text;
  throw new UsageError(`the mode is "tunnel" or "network", got: ${printable(text)}`, [USAGE]);
}

function parseClass(text: string): VmClass {
  if (text === "standalone") return "StandaloneVM";
  if (text === "app") return "AppVM";
  throw new UsageError(`--class takes "standalone" or "app", got: ${printable(text)}`);
}

function parseLabel(text: string): string {
  if (LABELS.includes(text)) return text;
  throw new UsageError(`--label takes one of ${LABELS.join(", ")}, got: ${printable(text)}`);
}

function parseMemory(options: Words, name: string): number | undefined {
  return optional(
    options.value(name),
    (text) =>
      name === "maxmem" && text === "0"
        ? 0 // no balancing
        : parseNumber(`--${name} (MiB)`, text, MIN_MEMORY_MIB, MAX_MEMORY_MIB),
  );
}

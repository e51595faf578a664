// SPDX-License-Identifier: GPL-2.0-or-later
/** What the command line of setup-vm asks for, checked before anything runs. @module */

import { didYouMean } from "../../shared/cli/did_you_mean.ts";
import {
  expectWords,
  type OptionTable,
  parseWords,
  refuseOptionWord,
} from "../../shared/cli/options.ts";
import { DEFAULT_OPENCLAW_CONF, DEFAULT_PROXY_PORT } from "../../shared/io/openclaw_conf.ts";
import { UsageError } from "../../shared/cli/program.ts";
import { parseTcpPort } from "../../shared/io/tcp_port.ts";
import { printable } from "../../shared/protocol/printable.ts";
import { ProtocolError } from "../../shared/protocol/refusal.ts";
import { parseVmName, type VmName } from "../../shared/protocol/vm_name.ts";
import { type ProviderChoice, PROVIDERS } from "../settings/vm_settings.ts";
import { type CompatibleServer, parseServer } from "./compatible.ts";

export const SETUP_VM_OPTIONS: OptionTable = {
  "key-qube": "flag",
  keys: "flag",
  "agent-vm": "values",
  model: "value",
  "user-units": "flag",
  "only-files": "flag",
  "proxy-port": "value",
  "gateway-port": "value",
  mcp: "flag",
  "no-mcp": "flag",
  anyway: "flag",
  "dry-run": "flag",
  verify: "flag",
  undo: "flag",
  "remove-data": "flag",
  yes: "flag",
  json: "flag",
  help: "flag",
  version: "flag",
};
export const SETUP_VM_SHORT = { n: "dry-run", y: "yes", h: "help" } as const;
const NAMED = PROVIDERS.filter((name) => name !== "compatible").join("|");
export const USAGE = `setup-vm ${NAMED} [OPTION]..., or setup-vm compatible URL [OPTION]...`;

/**
 * What this VM becomes. "agent": gateway and proxy. "agent of a key qube": the gateway, and a
 * tunnel to the proxy in the VM with the keys. "keys": that VM, the proxy alone.
 */
export type Part = "agent" | "agent of a key qube" | "keys";

export interface SetupRequest {
  readonly provider: ProviderChoice;
  /** Of "compatible" alone, and not in the agent of a key qube: there the key qube asks it. */
  readonly server: CompatibleServer | null;
  readonly part: Part;
  /** In a key qube: the agent VMs that a new proxy.json lets in. */
  readonly agents: readonly VmName[];
  readonly units: "system" | "user";
  /** Nothing but the files in the home: for a container, which has no units and no Qubes. */
  readonly onlyFiles: boolean;
  readonly proxyPort: number;
  readonly gatewayPort: number;
  /** Tools over Qubes for OpenClaw; null: nothing was said. */
  readonly mcp: "yes" | "no" | null;
  /** Go on although the memory or the disk is too small. */
  readonly anyway: boolean;
}

export type Action =
  | { readonly kind: "help" }
  | { readonly kind: "version" }
  | { readonly kind: "undo"; readonly removeData: boolean }
  | { readonly kind: "setup" | "verify"; readonly request: SetupRequest };

export interface Invocation {
  readonly action: Action;
  readonly dryRun: boolean;
  readonly json: boolean;
  readonly yes: boolean;
}

type Words = ReturnType<typeof parseWords>;

/** @throws {UsageError} naming what does not fit */
export function parseInvocation(words: readonly string[]): Invocation {
  const options = parseWords(words, SETUP_VM_OPTIONS, SETUP_VM_SHORT, "anywhere");
  return {
    action: parseAction(options),
    dryRun: options.has("dry-run"),
    json: options.has("json"),
    yes: options.has("yes"),
  };
}

function parseAction(options: Words): Action {
  if (options.has("help")) return { kind: "help" };
  if (options.has("version")) return { kind: "version" };
  if (options.has("undo")) {
    const allowed = new Set(["undo", "remove-data", "dry-run", "json", "yes"]);
    const other = Object.keys(SETUP_VM_OPTIONS).find((name) =>
      options.has(name) && !allowed.has(name)
    );
    if (other !== undefined) throw new UsageError(`--undo does not go with --${other}`);
    expectWords(options.rest, 0, 0, "setup-vm --undo [--remove-data]");
    return { kind: "undo", removeData: options.has("remove-data") };
  }
  if (options.has("remove-data")) throw new UsageError("--remove-data goes with --undo only");
  if (options.has("verify") && options.has("dry-run")) {
    throw new UsageError("--verify changes nothing; leave --dry-run out");
  }
  refuseOptionWord(options, SETUP_VM_OPTIONS);
  return { kind: options.has("verify") ? "verify" : "setup", request: parseRequest(options) };
}

function parseRequest(options: Words): SetupRequest {
  expectWords(options.rest, 1, options.rest[0] === "compatible" ? 2 : 1, USAGE);
  if (options.has("keys") && options.has("key-qube")) {
    throw new UsageError("--keys and --key-qube exclude each other", [
      "--keys in the VM that holds the keys, --key-qube in the agent VM",
    ]);
  }
  const proxyPort = port(options, "proxy-port", DEFAULT_PROXY_PORT);
  const gatewayPort = port(options, "gateway-port", DEFAULT_OPENCLAW_CONF.gatewayPort);
  if (options.has("key-qube") && options.has("proxy-port")) {
    throw new UsageError("--proxy-port does not go with --key-qube", [
      "the unit of the tunnel leads to the key qube's port 32125",
    ]);
  }
  if (proxyPort === gatewayPort) {
    throw new UsageError(`proxy and gateway cannot both have port ${proxyPort}`);
  }
  const provider = parseProvider(options.rest[0] ?? "");
  return {
    provider,
    server: parseServerOf(provider, options),
    part: options.has("keys") ? "keys" : options.has("key-qube") ? "agent of a key qube" : "agent",
    agents: parseAgents(options),
    units: options.has("user-units") ? "user" : "system",
    onlyFiles: options.has("only-files"),
    proxyPort,
    gatewayPort,
    mcp: parseMcp(options),
    anyway: options.has("anyway"),
  };
}

function parseMcp(options: Words): SetupRequest["mcp"] {
  if (!options.has("mcp")) return options.has("no-mcp") ? "no" : null;
  for (const other of ["no-mcp", "keys", "only-files"]) {
    if (options.has(other)) throw new UsageError(`--mcp does not go with --${other}`);
  }
  return "yes";
}

function parseServerOf(provider: ProviderChoice, options: Words): CompatibleServer | null {
  const [, url] = options.rest;
  if (provider !== "compatible") {
    if (options.has("model")) throw new UsageError("--model goes with compatible only");
    return null;
  }
  if (options.has("key-qube")) {
    if (url === undefined && !options.has("model")) return null;
    throw new UsageError("with --key-qube there is no URL and no --model", [
      "it is the key qube that asks the server: they belong there, with --keys",
    ]);
  }
  if (url !== undefined) return parseServer(url, options.value("model"));
  throw new UsageError("compatible takes the base URL of a server", [
    "setup-vm compatible https://HOST/v1 --model NAME",
    "for a server in this VM, or in another one behind a tunnel: http://127.0.0.1:PORT/v1",
  ]);
}

function parseAgents(options: Words): readonly VmName[] {
  const names = options.values("agent-vm");
  if (names.length > 0 && !options.has("keys")) {
    throw new UsageError("--agent-vm goes with --keys only");
  }
  return [...new Set(names)].map((name) => {
    try {
      return parseVmName(name);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      throw new UsageError(`--agent-vm: ${printable(name)} is not the name of a qube`);
    }
  });
}

function parseProvider(text: string): ProviderChoice {
  const provider = PROVIDERS.find((name) => name === text);
  if (provider !== undefined) return provider;
  throw new UsageError(`no such provider: ${printable(text)}`, [
    ...didYouMean(text, PROVIDERS),
    `there are: ${PROVIDERS.join(", ")}; multi is all of them, each in place of another that fails`,
  ]);
}

function port(options: Words, name: string, absent: number): number {
  const text = options.value(name);
  if (text === undefined) return absent;
  try {
    return parseTcpPort(text);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new UsageError(`--${name} takes a port from 1 to 65535, got: ${printable(text)}`);
  }
}

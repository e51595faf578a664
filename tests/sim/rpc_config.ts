// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The rpc-config file of a service: lines "key=value", "#" starts a comment.
 * An unknown key is logged and passed over; a bad value fails every call.
 *
 * @module
 */
import { isGone } from "./files.ts";

/** What the configuration of one service says. */
export interface RpcConfig {
  readonly waitForSession: boolean;
  readonly skipServiceDescriptor: boolean;
  readonly exitOnClientEof: boolean;
  readonly exitOnServiceEof: boolean;
  readonly forceUser: string | undefined;
}

const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ["1", true],
  ["true", true],
  ["0", false],
  ["false", false],
]);
const QUOTED = /^(?:'([^']*)'|"([^"]*)")$/;

/** The settings of a service without such a file. */
export const DEFAULT_RPC_CONFIG: RpcConfig = {
  waitForSession: false,
  skipServiceDescriptor: false,
  exitOnClientEof: false,
  exitOnServiceEof: false,
  forceUser: undefined,
};

/** @returns the settings for the service, or undefined, after `log`, if they are not valid. */
export function loadRpcConfig(
  dirs: readonly string[],
  names: readonly string[],
  log: (text: string) => void,
): RpcConfig | undefined {
  for (const name of names) {
    for (const dir of dirs) {
      try {
        return parseRpcConfig(Deno.readTextFileSync(`${dir}/${name}`), log);
      } catch (error) {
        if (!isGone(error)) throw error;
      }
    }
  }
  return DEFAULT_RPC_CONFIG;
}

/** @returns the settings, or undefined, after `log`, if a value is not valid. */
export function parseRpcConfig(text: string, log: (text: string) => void): RpcConfig | undefined {
  let config = DEFAULT_RPC_CONFIG;
  for (const [index, line] of text.split("\n").entries()) {
    const content = line.trim();
    if (content === "" || content.startsWith("#")) continue;
    const [, key = "", value = ""] = /^([^=]*?)\s*=\s*(.*)$/.exec(content) ?? [];
    const changed = applySetting(config, key, value);
    if (changed === "bad") {
      log(`rpc-config line ${index + 1}: invalid value for ${key || content}`);
      return undefined;
    }
    if (changed === "unknown") log(`rpc-config line ${index + 1}: unsupported key ${key}`);
    else config = changed;
  }
  return config;
}

function applySetting(
  config: RpcConfig,
  key: string,
  value: string,
): RpcConfig | "bad" | "unknown" {
  if (key === "force-user") {
    const [, single, double] = QUOTED.exec(value) ?? [];
    const forceUser = single ?? double;
    return forceUser ? { ...config, forceUser } : "bad";
  }
  if (key === "") return "bad";
  const field = BOOLEAN_KEYS.get(key);
  if (field === undefined) return "unknown";
  const setting = BOOLEANS.get(value);
  return setting === undefined ? "bad" : { ...config, [field]: setting };
}

const BOOLEAN_KEYS: ReadonlyMap<string, keyof RpcConfig> = new Map<string, keyof RpcConfig>([
  ["wait-for-session", "waitForSession"],
  ["skip-service-descriptor", "skipServiceDescriptor"],
  ["exit-on-client-eof", "exitOnClientEof"],
  ["exit-on-service-eof", "exitOnServiceEof"],
]);

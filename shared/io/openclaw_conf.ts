// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * /etc/qubes/openclaw.conf, in dom0 and in client VMs: which VM the agents live in, and on which
 * ports. KEY=value lines as the original had them; a line that cannot be read makes the whole file bad,
 * and is named.
 *
 * @module
 */

import { parseVmName, type VmName } from "../protocol/vm_name.ts";
import { printable } from "../protocol/printable.ts";
import { ProtocolError } from "../protocol/refusal.ts";
import { exists, ifPresent, readSmallText } from "./files.ts";
import { type LineProblem, readKeyValues } from "./key_value.ts";
import { ConfigError } from "../cli/program.ts";
import { parseTcpPort, type TcpPort } from "./tcp_port.ts";

export interface OpenclawConf {
  /** The agent VM; null where none is configured. */
  readonly vm: VmName | null;
  /** null ("none"): the agent VM offers no proxy; its own is in a key qube, for it alone. */
  readonly proxyPort: TcpPort | null;
  readonly gatewayPort: TcpPort;
}

export const DEFAULT_PROXY_PORT: TcpPort = parseTcpPort("32125");
export const DEFAULT_OPENCLAW_CONF: OpenclawConf = {
  vm: null,
  proxyPort: DEFAULT_PROXY_PORT,
  gatewayPort: parseTcpPort("18789"),
};

const MAX_CONF_BYTES = 64 * 1024;

type Change = (value: string) => Partial<OpenclawConf>;

const KEYS: ReadonlyMap<string, Change> = new Map<string, Change>([
  ["OPENCLAW_VM", (value) => ({ vm: parseVmName(value) })],
  [
    "OPENCLAW_PROXY_PORT",
    (value) => ({ proxyPort: value === "none" ? null : parseTcpPort(value) }),
  ],
  ["OPENCLAW_GATEWAY_PORT", (value) => ({ gatewayPort: parseTcpPort(value) })],
]);

export function parseOpenclawConf(
  text: string,
): { readonly conf: OpenclawConf; readonly problems: readonly LineProblem[] } {
  const { entries, problems: badLines } = readKeyValues(text);
  const problems = [...badLines];
  let conf = DEFAULT_OPENCLAW_CONF;
  for (const { line, key, value } of entries) {
    const change = KEYS.get(key);
    if (change === undefined) {
      problems.push({ line, text: `unknown key ${printable(key)}` });
      continue;
    }
    try {
      conf = { ...conf, ...change(value) };
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      problems.push({ line, text: `${key}: ${printable(value)}: ${error.message}` });
    }
  }
  return { conf, problems: problems.toSorted((a, b) => a.line - b.line) };
}

/** Reads the first of these files that exists, and no other. @throws {ConfigError} naming each bad line */
export async function readFirstConf(paths: readonly string[]): Promise<OpenclawConf> {
  const present = await Promise.all(paths.map(exists));
  return await readOpenclawConf(paths[present.indexOf(true)] ?? paths[0] ?? "");
}

/** In a client VM: this user's configuration or, if there is none, the system's. */
export function clientConfFiles(home: string, root: string): readonly string[] {
  return [`${home}/.config/openclaw/connect.conf`, `${root}/etc/qubes/openclaw.conf`];
}

/** No file at all is the default. @throws {ConfigError} naming each bad line */
export async function readOpenclawConf(path: string): Promise<OpenclawConf> {
  const text = await ifPresent(readSmallText(path, MAX_CONF_BYTES));
  if (text === undefined) return DEFAULT_OPENCLAW_CONF;
  const { conf, problems } = parseOpenclawConf(text);
  if (problems.length === 0) return conf;
  throw new ConfigError(
    `${path} is bad`,
    problems.map(({ line, text }) => `line ${line}: ${text}`),
  );
}

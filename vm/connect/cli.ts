// SPDX-License-Identifier: GPL-2.0-or-later
/** The command line of openclaw-connect; it overrides the configuration. @module */

import { readFirstConf } from "../../shared/io/openclaw_conf.ts";
import {
  expectWords,
  type OptionTable,
  parseNumber,
  parseWords,
} from "../../shared/cli/options.ts";
import { UsageError } from "../../shared/cli/program.ts";
import { parsePortRoute, type PortRoute } from "../../shared/io/tcp_port.ts";
import { printable } from "../../shared/protocol/printable.ts";
import { ProtocolError } from "../../shared/protocol/refusal.ts";
import { parseVmName, type VmName } from "../../shared/protocol/vm_name.ts";

export const CONNECT_PROGRAM = "openclaw-connect";
export const CONNECT_OPTIONS: OptionTable = {
  gateway: "value",
  help: "flag",
  once: "flag",
  proxy: "value",
  timeout: "value",
  version: "flag",
  vm: "value",
};
/** A gateway that starts together with its VM needs some 20 s. */
const DEFAULT_TIMEOUT_S = 60;
const MAX_TIMEOUT_S = 3600;
const NO_PROXY = "none";

export const CONNECT_HELP = `usage: ${CONNECT_PROGRAM} [OPTION...]

Makes the agent VM's ports reachable on this VM's loopback: starts openclaw-tunnel, waits until the
proxy and the gateway answer, prints where, and stays until it is stopped.

  --once                   starts nothing: checks that both answer, prints where
  --vm VM                  the agent VM. Default: OPENCLAW_VM in ~/.config/openclaw/connect.conf,
                           or in /etc/qubes/openclaw.conf
  --proxy PORT[:REMOTE]    port here, and in the agent VM if it is another (32125); "none" where
                           the agent VM's proxy is in a key qube, for itself alone
  --gateway PORT[:REMOTE]  (18789)
  --timeout SECONDS        how long an answer may take to come (${DEFAULT_TIMEOUT_S})
  -h, --help, --version

In dom0, "qvm-tags VM add openclaw-client" lets this VM in.
`;

export interface Settings {
  readonly vm: VmName | null;
  /** null: the agent VM offers none. */
  readonly proxy: PortRoute | null;
  readonly gateway: PortRoute;
  readonly timeoutMs: number;
  readonly once: boolean;
}

/** @param files the first that exists is the configuration */
export async function readSettings(
  args: readonly string[],
  files: readonly string[],
): Promise<Settings | "help" | "version"> {
  const options = parseWords(args, CONNECT_OPTIONS, { h: "help" }, "anywhere");
  if (options.has("help")) return "help";
  if (options.has("version")) return "version";
  expectWords(options.rest, 0, 0, `${CONNECT_PROGRAM} [OPTION...]`);
  const conf = await readFirstConf(files);
  const vm = options.value("vm");
  const timeout = options.value("timeout") ?? String(DEFAULT_TIMEOUT_S);
  return {
    vm: vm === undefined ? conf.vm : vmFromWord(vm),
    proxy: proxyRoute(options.value("proxy") ?? String(conf.proxyPort ?? NO_PROXY)),
    gateway: parsePortRoute(options.value("gateway") ?? String(conf.gatewayPort)),
    timeoutMs: 1000 * parseNumber("--timeout", timeout, 1, MAX_TIMEOUT_S),
    once: options.has("once"),
  };
}

function proxyRoute(word: string): PortRoute | null {
  return word === NO_PROXY ? null : parsePortRoute(word);
}

function vmFromWord(word: string): VmName {
  try {
    return parseVmName(word);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new UsageError(`not the name of a VM: ${printable(word)}`);
  }
}

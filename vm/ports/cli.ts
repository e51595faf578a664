// SPDX-License-Identifier: GPL-2.0-or-later
/** The command line of openclaw-ports. @module */

import type { OptionTable } from "../../shared/cli/options.ts";
import { UsageError } from "../../shared/cli/program.ts";
import { parseTcpPort, type TcpPort } from "../../shared/io/tcp_port.ts";
import { printable } from "../../shared/protocol/printable.ts";
import { ProtocolError } from "../../shared/protocol/refusal.ts";

export const PORTS_PROGRAM = "openclaw-ports";
export const PORTS_COMMANDS = ["install", "remove", "status"] as const;
export const PORTS_OPTIONS: OptionTable = {
  "dry-run": "flag",
  help: "flag",
  json: "flag",
  link: "flag",
  "per-vm": "flag",
  script: "flag",
  version: "flag",
};

/** The proxy's and the gateway's. */
export const DEFAULT_PORTS: readonly TcpPort[] = ["32125", "18789"].map(parseTcpPort);
/** People read the list: with more ports than this it is no longer a whitelist. */
const MAX_PORTS = 32;

export const PORTS_HELP = `usage: ${PORTS_PROGRAM} install [--link|--script] [--dry-run] [PORT...]
       ${PORTS_PROGRAM} install --per-vm [--dry-run] [PORT]
       ${PORTS_PROGRAM} remove [--dry-run]
       ${PORTS_PROGRAM} status [--json]

Opens ports on this VM's loopback to other domains, through qrexec: these and no others (default
${DEFAULT_PORTS.join(" ")}). Who may call at all is decided by the policy in dom0. Run as root.

  install    makes the list exactly these ports; every other port is refused and logged
  remove     takes it all back: then the distribution's qubes.ConnectTCP serves every port again
  status     what is open; exit code 1 if other ports are not refused

  --link     the qrexec agent serves the ports itself, without a process (from Qubes 4.3, and 4.2
             with current packages); --script: a small script for each. Default: what the
             packages of this VM support
  --per-vm   in the key qube: the port (default 32125) is openclaw-proxy's, which is told which VM
             calls; a VM that no client in proxy.json names is refused
  --dry-run  says what would be done
`;

/** Only the proxy knows VMs, and it has one port. @throws {UsageError} */
export function parseProxyPort(words: readonly string[]): readonly TcpPort[] {
  if (words.length > 1) throw new UsageError("--per-vm takes one port, the proxy's");
  return words.length === 0 ? DEFAULT_PORTS.slice(0, 1) : parsePorts(words);
}

/** @throws {UsageError} naming the word that is no port */
export function parsePorts(words: readonly string[]): readonly TcpPort[] {
  if (words.length === 0) return DEFAULT_PORTS;
  if (words.length > MAX_PORTS) throw new UsageError(`at most ${MAX_PORTS} ports`);
  const ports = words.map((word) => {
    try {
      return parseTcpPort(word);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      throw new UsageError(`not a port from 1 to 65535: ${printable(word)}`);
    }
  });
  const twice = ports.find((port, index) => ports.indexOf(port) !== index);
  if (twice !== undefined) throw new UsageError(`port ${twice} is given twice`);
  return ports;
}

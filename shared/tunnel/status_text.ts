// SPDX-License-Identifier: GPL-2.0-or-later
/** "openclaw-tunnel status", for people. Pure. @module */

import type { PortState } from "./carry/port_account.ts";
import type { TunnelState } from "./state_file.ts";

export function statusText(states: readonly TunnelState[]): string {
  if (states.length === 0) return "No tunnel runs.\n";
  const lines = states.flatMap(({ pid, startedAt, ports }) => [
    `tunnel ${pid}, since ${startedAt}\n`,
    ...ports.map(portText),
  ]);
  return lines.join("") + directText(states);
}

/** The limit is that of all tunnels together. */
function directText(states: readonly TunnelState[]): string {
  const open = states.flatMap(({ ports }) => ports).reduce((sum, { direct }) => sum + direct, 0);
  const most = Math.min(...states.map(({ mostDirect }) => mostDirect));
  return `connections with a qrexec call of their own: ${open} of at most ${most}\n`;
}

function portText(state: PortState): string {
  const { address, port, remotePort, vm, mode, modeReason, lastFailure } = state;
  const lines = [
    `  ${address} port ${port} -> ${vm} port ${remotePort}`,
    `    mode: ${modeText(mode)}${modeReason === null ? "" : ` (${modeReason})`}`,
    `    connections: ${state.open} open, ${state.total} in all, ${state.failed} failed`,
    `    bytes: ${state.bytesUp} to the VM, ${state.bytesDown} from it`,
  ];
  if (lastFailure !== null) {
    lines.push(`    last failure: ${lastFailure.class} at ${lastFailure.at}: ${lastFailure.text}`);
  }
  return lines.join("\n") + "\n";
}

function modeText(mode: PortState["mode"]): string {
  return mode === "unknown" ? "the next connection decides" : mode;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** "openclaw-tunnel status", for people. Pure. @module */

import type { PortState } from "./port_tunnel.ts";
import type { TunnelState } from "./state_file.ts";

export function statusText(states: readonly TunnelState[]): string {
  if (states.length === 0) return "No tunnel runs.\n";
  return states.map(({ pid, startedAt, ports }) =>
    [`tunnel ${pid}, since ${startedAt}\n`, ...ports.map(portText)].join("")
  ).join("");
}

function portText(state: PortState): string {
  const { address, port, remotePort, vm, mode, modeReason, lastFailure } = state;
  const lines = [
    `  ${address} port ${port} -> ${vm} port ${remotePort}`,
    `    mode: ${mode}${modeReason === null ? "" : ` (${modeReason})`}`,
    `    connections: ${state.open} open, ${state.total} in all, ${state.failed} failed`,
    `    bytes: ${state.bytesUp} to the VM, ${state.bytesDown} from it`,
  ];
  if (lastFailure !== null) {
    lines.push(`    last failure: ${lastFailure.class} at ${lastFailure.at}: ${lastFailure.text}`);
  }
  return lines.join("\n") + "\n";
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Network mode: the nftables rules for the agent VM and for each netvm above it, after "Port
 * forwarding to a qube from the outside world" in the Qubes documentation (R4.2 and later:
 * chains custom-* of the table "ip qubes"; group 2 holds the interfaces of VMs below).
 *
 *     outside -> sys-net -> sys-firewall -> agent VM eth0 -> 127.0.0.1
 *     VM below the same netvm ------^
 *
 * In the agent VM the packets go on to 127.0.0.1, so proxy and gateway keep listening on
 * loopback only and stop being reachable the moment the rules are taken out.
 *
 * @module
 */

import type { VmName } from "../../shared/protocol/vm_name.ts";
import type { TcpPort } from "../../shared/io/tcp_port.ts";
import type { PrivateIpv4 } from "./network_address.ts";
import type { Block } from "./vm_block.ts";

export const AGENT_SCRIPT = "/rw/config/rc.local";
export const NETVM_SCRIPT = "/rw/config/qubes-firewall-user-script";

const CHAIN = "custom-dnat-openclaw";
/** This comment marks our rules in chains that others use too. */
const MARK = "qubes-claw";

/** Loopback is reachable from outside only for what was sent to the fixed address. */
export function agentBlock(ip: PrivateIpv4, ports: readonly TcpPort[]): Block {
  const cleanup = cleanupFor("custom-input") + "sysctl -q -w net.ipv4.conf.eth0.route_localnet=0\n";
  const text = cleanupFor("custom-input") +
    `sysctl -q -w net.ipv4.conf.eth0.route_localnet=1
nft 'add chain ip qubes ${CHAIN} { type nat hook prerouting priority dstnat ; policy accept ; }'
nft 'add rule ip qubes ${CHAIN} iifname eth0 ip daddr ${ip} tcp dport ${
      set(ports)
    } dnat to 127.0.0.1'
nft 'add rule ip qubes custom-input iifname eth0 ip daddr 127.0.0.1 tcp dport ${
      set(ports)
    } ct status dnat accept comment "${MARK}"'
`;
  return { path: AGENT_SCRIPT, text, cleanup };
}

/**
 * @param next where this netvm sends the packets: the next netvm, or the agent VM
 * @param isLast whether that is the agent VM; then VMs below this netvm are let through, too
 */
export function netvmBlock(next: PrivateIpv4, isLast: boolean, ports: readonly TcpPort[]): Block {
  const from = isLast ? "" : "iifgroup != 2 ";
  const cleanup = cleanupFor("custom-forward");
  const text = cleanup +
    `nft 'add chain ip qubes ${CHAIN} { type nat hook prerouting priority filter + 1 ; policy accept ; }'
nft 'add rule ip qubes ${CHAIN} iifgroup != 2 fib daddr type local tcp dport ${
      set(ports)
    } dnat to ${next}'
nft 'add rule ip qubes custom-forward ${from}ip daddr ${next} tcp dport ${
      set(ports)
    } accept comment "${MARK}"'
`;
  return { path: NETVM_SCRIPT, text, cleanup };
}

/** Ends what an earlier run of the block did; it does not survive a restart of the VM. */
function cleanupFor(sharedChain: string): string {
  return `nft 'delete chain ip qubes ${CHAIN}' 2>/dev/null || true
for handle in $(nft -a list chain ip qubes ${sharedChain} 2>/dev/null | sed -n 's/.*comment "${MARK}" # handle \\([0-9]*\\)$/\\1/p'); do
  nft "delete rule ip qubes ${sharedChain} handle $handle"
done
`;
}

const set = (ports: readonly TcpPort[]): string => `{ ${ports.join(", ")} }`;

/** What network mode gives up; printed before anything is done. */
export function networkWarning(
  agent: VmName,
  ip: PrivateIpv4,
  ports: readonly TcpPort[],
  netvms: readonly VmName[],
): string {
  return `Network mode gives up what qrexec guards:

  - Every VM below ${netvms[0] ?? "its netvm"}, and every machine that reaches ${
    netvms.at(-1) ?? "the outermost netvm"
  } from outside, can open
    a TCP connection to ${agent} at ${ip}, ports ${ports.join(" and ")}.
  - dom0's policy does not see these connections. No tag, and nobody in dom0, can refuse one.
  - They are not encrypted. Who can read the network can read tokens, prompts and answers.
  - What is left as a guard is the token of the gateway and the keys of the proxy.

Tunnel mode keeps all of this in qrexec, and tagged VMs reach the agent in it, too.
`;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The scripts that openclaw-ports writes. Plain sh, whole in themselves: a refusal that was a
 * link into /usr would be passed over once that is gone, and then the distribution's
 * qubes.ConnectTCP would open every port again.
 *
 * @module
 */

import type { TcpPort } from "../../shared/io/tcp_port.ts";
import { SOCKETS_IN_HOME } from "../proxy/http/vm_sockets.ts";

/** By this line a script is known as ours. */
export const MARK = "# Written by openclaw-ports(8).";

/**
 * As the agent itself answers for a port on which nobody listens: 126 would look like a refusal
 * of the policy in dom0.
 */
export const EXIT_PORT_REFUSED = 125;

const CLEAN = `clean() { printf %s "$1" | LC_ALL=C tr -c 'A-Za-z0-9_.+-' '?' | head -c 64; }
caller=$(clean "\${QREXEC_REMOTE_DOMAIN-}")
asked=$(clean "\${QREXEC_SERVICE_FULL_NAME-}")`;

/**
 * What serves every port that is not in the whitelist. The caller's name and the port it asked
 * for are data from another domain: they go through tr into one argument of logger, and are
 * never evaluated. The caller learns nothing but that it is refused.
 */
export const REFUSAL_SCRIPT = `#!/bin/sh
${MARK}
# Refuses every port that has no file of its own beside the whitelist, and says so in the journal.
${CLEAN}
logger -t openclaw-ports -p auth.warning -- "refused: $asked from $caller" || :
echo "openclaw-ports: this port is not open" >&2
exit ${EXIT_PORT_REFUSED}
`;

/**
 * One port, for agents that serve no links. What the caller gives is not used. -t: without it
 * socat drops an answer that comes 0.5 s after the caller's end. shut-close: without it socat
 * keeps stdout open while the caller's side is, so that the caller never sees the server's end.
 */
export function portScript(port: TcpPort): string {
  return `#!/bin/sh
${MARK}
exec socat -t 86400 -,shut-close TCP:127.0.0.1:${port}
`;
}

/**
 * The proxy's port in the key qube: the connection goes to the socket that is the caller's own,
 * and a VM that has none is refused. A name that clean() had to change has none.
 */
export const PER_VM_SCRIPT = `#!/bin/sh
${MARK}
# To the socket of openclaw-proxy that is the calling VM's own. Who calls is qrexec's word.
${CLEAN}
socket=$HOME/${SOCKETS_IN_HOME}/$caller.sock
if [ "$caller" != "\${QREXEC_REMOTE_DOMAIN-}" ] || [ ! -S "$socket" ]; then
  logger -t openclaw-ports -p auth.warning -- "refused: $asked from $caller, which is no client" || :
  echo "openclaw-ports: this VM is no client here, or openclaw-proxy does not run" >&2
  exit ${EXIT_PORT_REFUSED}
fi
exec socat -t 86400 -,shut-close "UNIX-CONNECT:$socket"
`;

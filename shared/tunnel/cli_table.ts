// SPDX-License-Identifier: GPL-2.0-or-later
/** Every command and option of openclaw-tunnel: for running, for --help, for the tests. @module */

import type { OptionTable } from "../cli/options.ts";
import { callLimit, DEFAULT_GRANT_PAGES } from "./carry/call_budget.ts";

export const TUNNEL_OPTIONS: OptionTable = {
  vm: "value",
  listen: "values",
  direct: "flag",
  "max-connections": "value",
  help: "flag",
  version: "flag",
};
export const STATUS_OPTIONS: OptionTable = { json: "flag" };
export const CHECK_OPTIONS: OptionTable = { vm: "value", listen: "values", json: "flag" };
export const TUNNEL_COMMANDS = ["status", "check"] as const;

export const DEFAULT_MAX_CONNECTIONS = 1024;
/** As many streams as a session has in the VM. */
export const MOST_CONNECTIONS = 1024;

export const TUNNEL_HELP =
  `openclaw-tunnel - reach ports of the agent VM on this machine, through qrexec

usage: openclaw-tunnel [--vm VM] [--listen [ADDR:]PORT[:REMOTE]]... [PORT[:REMOTE]]...
       openclaw-tunnel status [--json]
       openclaw-tunnel check [--vm VM] [--json] [PORT[:REMOTE]]...

Connections to PORT on 127.0.0.1 go to port REMOTE (the same, if left out) of the VM. Without a
port: the proxy's and the gateway's of the configuration. A halted VM is never started.

The configuration is /etc/qubes/openclaw.conf; in a client VM ~/.config/openclaw/connect.conf goes
before it, as for openclaw-connect, and where neither names a VM the policy in dom0 chooses one.

  --vm VM                the agent VM; otherwise OPENCLAW_VM of the configuration
  --listen ADDR:PORT     ADDR is 127.0.0.1, ::1 or localhost; nothing else is listened on
  --direct               one qrexec call for each connection, never one stream for all
  --max-connections N    of all ports together, ${DEFAULT_MAX_CONNECTIONS} by default. Those with a qrexec call of
                         their own are fewer: ${
    callLimit(DEFAULT_GRANT_PAGES)
  } of all tunnels of this machine together,
                         unless the kernel's xen_gntalloc.limit was changed
  --version, -h, --help

commands:
  status                 what the running tunnels carry, and what went wrong last
  check                  tries each part of the way for each port, and times it

exit codes: 0 good, 1 failed (status: no tunnel runs; check: a port is not reached), 2 usage,
78 bad configuration
`;

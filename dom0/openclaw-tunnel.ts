// SPDX-License-Identifier: GPL-2.0-or-later
/** openclaw-tunnel in dom0: ports of the agent VM on loopback, through qrexec-client. @module */

import { runProgram } from "../shared/cli/program.ts";
import { PROGRAM, tunnelMain } from "../shared/tunnel/cli.ts";
import { dom0Place } from "../shared/tunnel/place.ts";
import { realTunnelProgram, rootFolder } from "../shared/tunnel/program.ts";

if (import.meta.main) {
  Deno.exit(
    await runProgram(PROGRAM, () => {
      const place = dom0Place(`${rootFolder()}/run/qubes`);
      const confFiles = [`${rootFolder()}/etc/qubes/openclaw.conf`];
      return tunnelMain(realTunnelProgram(place, confFiles), Deno.args);
    }),
  );
}

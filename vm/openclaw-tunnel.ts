// SPDX-License-Identifier: GPL-2.0-or-later
/** openclaw-tunnel in a client VM: ports of the agent VM, through qrexec-client-vm. @module */

import { clientConfFiles } from "../shared/io/openclaw_conf.ts";
import { runProgram } from "../shared/cli/program.ts";
import { PROGRAM, tunnelMain } from "../shared/tunnel/cli.ts";
import { vmPlace } from "../shared/tunnel/place.ts";
import { realTunnelProgram, rootFolder } from "../shared/tunnel/program.ts";

if (import.meta.main) {
  Deno.exit(
    await runProgram(PROGRAM, () => {
      const confFiles = clientConfFiles(Deno.env.get("HOME") ?? "", rootFolder());
      return tunnelMain(realTunnelProgram(vmPlace(), confFiles), Deno.args);
    }),
  );
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** openclaw-tunnel in a client VM: ports of the agent VM, through qrexec-client-vm. @module */

import { runProgram } from "../shared/io/program.ts";
import { PROGRAM, tunnelMain } from "../shared/tunnel/cli.ts";
import { vmPlace } from "../shared/tunnel/place.ts";
import { realTunnelProgram } from "../shared/tunnel/program.ts";

if (import.meta.main) {
  Deno.exit(
    await runProgram(PROGRAM, () => tunnelMain(realTunnelProgram(vmPlace()), Deno.args)),
  );
}

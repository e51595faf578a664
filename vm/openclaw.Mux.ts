// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * openclaw.Mux: the qrexec service through which one stream carries all connections to one port
 * of this VM. The port is the service's argument, so that the policy in dom0 decides per port;
 * the files openclaw.Mux+PORT in the rpc folder are the arguments that exist at all.
 *
 * @module
 */

import { EXIT_OK, runProgram, UsageError } from "../shared/cli/program.ts";
import { parseTcpPort, type TcpPort } from "../shared/io/tcp_port.ts";
import { printable } from "../shared/protocol/printable.ts";
import { ProtocolError } from "../shared/protocol/refusal.ts";
import { serveMuxOnStdio } from "./tunnel/serve_mux.ts";

async function main(): Promise<number> {
  const port = portOfCall(Deno.args[0] || Deno.env.get("QREXEC_SERVICE_ARGUMENT") || "");
  const connect = async (): Promise<Deno.Conn> => {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    conn.setNoDelay();
    return conn;
  };
  await serveMuxOnStdio(connect);
  return EXIT_OK;
}

function portOfCall(untrustedArgument: string): TcpPort {
  try {
    return parseTcpPort(untrustedArgument);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new UsageError(`not a port: ${printable(untrustedArgument)}`, [
      "the service is called as openclaw.Mux+PORT",
    ]);
  }
}

if (import.meta.main) Deno.exit(await runProgram("openclaw.Mux", main));

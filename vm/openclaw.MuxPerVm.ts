// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * openclaw.MuxPerVm: what openclaw.Mux+PORT is in the key qube. One stream carries all connections of
 * the calling VM, each to that VM's own socket of openclaw-proxy. qrexec says who calls, and the
 * launcher's permissions name this one socket and nothing else.
 *
 * @module
 */

import { EXIT_OK, runProgram, UserError, writeAll } from "../shared/cli/program.ts";
import { printable } from "../shared/protocol/printable.ts";
import { ProtocolError } from "../shared/protocol/refusal.ts";
import { parseVmName, type VmName } from "../shared/protocol/vm_name.ts";
import { EXIT_PORT_REFUSED } from "./ports/refusal_script.ts";
import { socketFolder, socketPath } from "./proxy/http/vm_sockets.ts";
import { serveMuxOnStdio } from "./tunnel/serve_mux.ts";

const PROGRAM = "openclaw.MuxPerVm";

class CallerError extends UserError {
  override readonly name = "CallerError";
  override readonly exitCode = EXIT_PORT_REFUSED;
}

async function main(): Promise<number> {
  const vm = callerOf(Deno.env.get("QREXEC_REMOTE_DOMAIN") ?? "");
  const path = socketPath(socketFolder(Deno.env.get("HOME") ?? ""), vm);
  let hasSaid = false;
  const connect = async (): Promise<Deno.Conn> => {
    try {
      return await Deno.connect({ transport: "unix", path });
    } catch (error) {
      // Once: qrexec writes it into the journal of this VM.
      if (!hasSaid) writeAll(Deno.stderr, `${PROGRAM}: refused: ${whyNot(vm, error)}\n`);
      hasSaid = true;
      throw error;
    }
  };
  await serveMuxOnStdio(connect);
  return EXIT_OK;
}

/** A proxy that starts later, or is told of the VM later, is found by the next connection. */
function whyNot(vm: VmName, error: unknown): string {
  return error instanceof Deno.errors.NotFound
    ? `no client in proxy.json has the VM ${vm}, or openclaw-proxy does not run`
    : `openclaw-proxy does not answer for the VM ${vm}`;
}

function callerOf(untrustedName: string): VmName {
  try {
    return parseVmName(untrustedName);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new CallerError(`refused: ${printable(untrustedName)} is not a VM's name`);
  }
}

if (import.meta.main) Deno.exit(await runProgram(PROGRAM, main));

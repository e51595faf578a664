// SPDX-License-Identifier: GPL-2.0-or-later
/** The qrexec call from dom0 to the queue service of a VM. @module */

import {
  type CallEnd,
  isLocalFailure,
  MAX_CALL_STDERR_BYTES,
  type QrexecCall,
  saidOnStderr,
  startCall,
} from "../../shared/io/qrexec_call.ts";
import { ProtocolError } from "../../shared/protocol/refusal.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";

/** A service of a VM; `argument` is "" for none. Never starts a halted VM: qrexec-client does not. */
export type CallService = (vm: VmName, user: string, argument: string) => QrexecCall;

export const callQueueService: CallService = (vm, user, argument) => {
  const service = `qvmremote.Queue${argument === "" ? "" : `+${argument}`}`;
  return startCall("qrexec-client", ["-d", vm, `${user}:QUBESRPC ${service} dom0`]);
};

/** A call that this side ended because the VM wrote to stderr without end; null: it was not. */
export function stderrFlood({ stderrFlood, untrustedStderr }: CallEnd): ProtocolError | null {
  if (!stderrFlood) return null;
  const limit = `more than ${MAX_CALL_STDERR_BYTES / 1024} KiB`;
  return new ProtocolError("stderr-flood", `${limit}, at last${saidOnStderr(untrustedStderr)}`);
}

/** What the end of a qrexec-client says, for people. */
export function describeExit(end: CallEnd): string {
  const said = saidOnStderr(end.untrustedStderr);
  const flood = stderrFlood(end);
  if (flood !== null) return `the VM broke the protocol: ${flood.message}`;
  switch (end.code) {
    case 125:
      return isLocalFailure(end)
        ? `no connection: dom0 itself has no vchan for the call (xen_gntalloc.limit, /dev/xen)${said}`
        : `no connection: the VM is halted, paused or refuses the service${said}`;
    case 127:
      return `the service qvmremote.Queue is not installed in the VM${said}`;
    case 255:
      return `the VM ended during the call${said}`;
    default:
      return `the call ended with code ${end.code}${said}`;
  }
}

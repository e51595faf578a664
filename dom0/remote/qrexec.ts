// SPDX-License-Identifier: GPL-2.0-or-later
/** The qrexec call from dom0 to the queue service of a VM. @module */

import { type QrexecCall, saidOnStderr, startCall } from "../../shared/io/qrexec_call.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";

/** A service of a VM; `argument` is "" for none. Never starts a halted VM: qrexec-client does not. */
export type CallService = (vm: VmName, user: string, argument: string) => QrexecCall;

export const callQueueService: CallService = (vm, user, argument) => {
  const service = `qvmremote.Queue${argument === "" ? "" : `+${argument}`}`;
  return startCall("qrexec-client", ["-d", vm, `${user}:QUBESRPC ${service} dom0`]);
};

/** What an exit code of qrexec-client says, for people. */
export function describeExit(code: number, untrustedStderr: string): string {
  const said = saidOnStderr(untrustedStderr);
  switch (code) {
    case 125:
      return `no connection: the VM is halted, paused or refuses the service${said}`;
    case 127:
      return `the service qvmremote.Queue is not installed in the VM${said}`;
    case 255:
      return `the VM ended during the call${said}`;
    default:
      return `the call ended with code ${code}${said}`;
  }
}

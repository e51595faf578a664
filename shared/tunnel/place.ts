// SPDX-License-Identifier: GPL-2.0-or-later
/** Where the tunnel runs decides how it calls and what it can know: dom0, or a client VM. @module */

import {
  hasQrexecSocket,
  isSurelyHalted,
  type QrexecCall,
  qrexecIncarnation,
  startCall,
} from "../io/qrexec_call.ts";
import type { TcpPort } from "../io/tcp_port.ts";
import { parseVmName, type VmName } from "../protocol/vm_name.ts";
import { TunnelFailure } from "./failure.ts";

export type TunnelService = "qubes.ConnectTCP" | "openclaw.Mux";

/** "@default": the policy in dom0 chooses, by target=VM in the line that allows it. */
export type Target = VmName | "@default";

export interface Place {
  readonly name: "dom0" | "VM";
  /** The VM if none is named or configured; null: there is no default. */
  readonly defaultTarget: Target | null;
  /** @throws {ProtocolError} what cannot be called from here */
  parseTarget(untrustedWord: string): Target;
  /** @throws {TunnelFailure} the program that calls cannot be started */
  call(vm: Target, service: TunnelService, port: TcpPort): QrexecCall;
  /** Known before a call is made. */
  isHalted(vm: Target): boolean;
  /** Known after a call was refused. */
  wasHalted(vm: Target): boolean;
  /** A different text after each start of the VM; constant where that cannot be seen. */
  incarnation(vm: Target): string;
}

/** qrexec-client never starts a VM. */
export function dom0Place(qrexecFolder: string): Place {
  return {
    name: "dom0",
    defaultTarget: null,
    parseTarget: parseVmName,
    call: (vm, service, port) =>
      start("qrexec-client", ["-d", vm, `DEFAULT:QUBESRPC ${service}+${port} dom0`]),
    isHalted: (vm) => isSurelyHalted(qrexecFolder, vm),
    wasHalted: (vm) => !hasQrexecSocket(qrexecFolder, vm),
    incarnation: (vm) => qrexecIncarnation(qrexecFolder, vm),
  };
}

/**
 * A VM cannot see whether another one runs. Whether a call starts it is up to the policy in dom0: its
 * lines must say autostart=no; a call to a halted VM is then refused by the policy.
 */
export function vmPlace(): Place {
  return {
    name: "VM",
    defaultTarget: "@default",
    parseTarget: (word) => word === "@default" ? word : parseVmName(word),
    call: (vm, service, port) => start("qrexec-client-vm", [vm, `${service}+${port}`]),
    isHalted: () => false,
    wasHalted: () => false,
    incarnation: () => "",
  };
}

function start(program: string, args: readonly string[]): QrexecCall {
  try {
    return startCall(program, args);
  } catch (error) {
    const why = error instanceof Error ? error.name : String(error);
    throw new TunnelFailure("call-failed", ` (${program} cannot be started: ${why})`);
  }
}

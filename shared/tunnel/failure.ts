// SPDX-License-Identifier: GPL-2.0-or-later
/** Why a connection was not carried, or broke: a closed list, told apart everywhere. @module */

import { type CallEnd, isLocalFailure, saidOnStderr } from "../io/qrexec_call.ts";
import type { MuxRefusal } from "../protocol/refusal.ts";

/** The word in the log and in "status --json", with its text for people. */
export const FAILURE_TEXT = {
  "vm-halted": "the VM is halted; it is never started from here",
  "policy": "the qrexec policy in dom0 refuses the call, or the VM is halted",
  "service-missing": "the service is not installed in the VM",
  "port-refused": "nothing answers on the port in the VM, or the service does not allow it",
  "no-vchan":
    "this machine has no vchan for the call: too many are open, or /dev/xen is closed to it",
  "no-answer": "the VM does not answer: it is paused, hung or starting",
  "vm-died": "the VM, or its end of the call, ended in the middle",
  "protocol": "the VM's side broke the protocol",
  "too-many": "too many connections are open",
  "client-gone": "the program on this side broke its connection",
  "call-failed": "the call ended with an error",
} as const;

export type FailureClass = keyof typeof FAILURE_TEXT;

export class TunnelFailure extends Error {
  override readonly name = "TunnelFailure";
  constructor(readonly failureClass: FailureClass, detail = "") {
    super(FAILURE_TEXT[failureClass] + detail);
  }
}

/** What the VM's end of a shared stream said. */
export const FAILURE_OF_REFUSAL: Readonly<Record<MuxRefusal, FailureClass>> = {
  "port-refused": "port-refused",
  "port-failed": "port-refused",
  "port-timeout": "no-answer",
  "too-many": "too-many",
};

/**
 * Why a qrexec call ended; null for a good end. 125, 126, 127 and 255 may also be the remote
 * program's own, so `spoke` (the VM's side has sent something) rules out that there was no call.
 *
 * @param halted whether the VM is known to have no qrexec socket
 */
export function callFailure(end: CallEnd, spoke: boolean, halted: boolean): TunnelFailure | null {
  const said = saidOnStderr(end.untrustedStderr);
  if (end.stderrFlood) {
    return new TunnelFailure("protocol", ` (it writes to stderr without end)${said}`);
  }
  if (end.code === 0) return null;
  if (end.code === 255) return new TunnelFailure("vm-died", said);
  if (spoke) return new TunnelFailure("call-failed", ` (code ${end.code})${said}`);
  switch (end.code) {
    case 125:
      if (isLocalFailure(end)) return new TunnelFailure("no-vchan", said);
      if (halted) return new TunnelFailure("vm-halted", said);
      if (/timeout/.test(end.untrustedStderr)) return new TunnelFailure("no-answer", said);
      return new TunnelFailure("port-refused", said);
    case 126:
      return new TunnelFailure("policy", said);
    case 127:
      return new TunnelFailure("service-missing", said);
    default:
      return new TunnelFailure("call-failed", ` (code ${end.code})${said}`);
  }
}

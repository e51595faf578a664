// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Why something was refused: two closed lists, and the error that carries the first.
 *
 * A Violation ends the session: the peer broke the protocol, and nothing after it is read.
 * A RefusalReason answers one request: the peer spoke properly, and the answer is no.
 *
 * @module
 */

/** What a peer did wrong. One word, chosen here, never taken from the wire. */
export type Violation =
  | "bad-argument"
  | "bad-envelope"
  | "bad-frame"
  | "bad-id"
  | "bad-meta"
  | "bad-name"
  | "bad-version"
  | "cut-off"
  | "no-credit"
  | "silent"
  | "stderr-flood"
  | "too-long"
  | "too-many-refusals"
  | "unexpected"
  | "unknown-type";

/** Bytes that no parser accepted. The detail is for this side's log, never for the peer. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  constructor(readonly violation: Violation, detail: string) {
    super(`${violation}: ${detail}`);
  }
}

/** Why dom0 did not run a request: the word in "reason=", with its text for people. */
export const REFUSAL_TEXT = {
  "approval-expired": "nobody in dom0 answered in time",
  "bad-body": "the command holds a NUL byte or is not a list of UTF-8 words",
  "bad-mac": "the request is not signed with the key dom0 has for this VM",
  "bad-operation": "there is no such operation, or its values are wrong",
  "bad-payload": "what it brings cannot be taken, or is not what was signed",
  "bad-plan": "dom0 cannot read the plan, or one of its steps is wrong",
  "clock": "dom0 cannot tell whether it ran before: its clock was set back, or its ledger was lost",
  "future": "the request is dated in the future: the clocks of the VM and of dom0 differ",
  "locked-down": "dom0 is locked down",
  "not-approved": "a person in dom0 said no",
  "not-known": "dom0's daemon is older: it does not know this kind of request",
  "not-recorded": "dom0 could not record the request on its disk",
  "needs-confirmation": "the policy wants a person in dom0 to confirm, and nobody can be asked",
  "not-sent": "its file in the queue could not be used",
  "overloaded": "too many requests of this VM are open",
  "policy-denied": "the policy in dom0 does not allow it",
  "rate-limited": "this VM asks more often than dom0 lets it",
  "replay": "a request with this id was seen before",
  "revoked": "this VM is no longer authorised",
  "stale": "the request is too old",
  "stopping": "the daemon in dom0 is stopping",
  "too-many-parked": "too many requests of this VM wait for a person in dom0",
  "v1-not-accepted": "dom0 does not accept protocol 1 from this VM",
  "wrong-vm": "the request names another VM",
} as const;

export type RefusalReason = keyof typeof REFUSAL_TEXT;

/**
 * True only for a word of the list above ("constructor" is not one).
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 *
 * assert(isRefusalReason("stale"));
 * assert(!isRefusalReason("toString"));
 * ```
 */
export function isRefusalReason(untrustedWord: string): untrustedWord is RefusalReason {
  return Object.hasOwn(REFUSAL_TEXT, untrustedWord);
}

/** Why the VM's side of a shared stream did not connect: the byte in REFUSED, a word, a text. */
export const MUX_REFUSALS = [
  [1, "port-refused", "nothing listens on the port in the VM"],
  [2, "port-failed", "the VM could not connect to the port"],
  [3, "port-timeout", "the port in the VM did not answer in time"],
  [4, "too-many", "too many connections are open"],
] as const;

export type MuxRefusal = typeof MUX_REFUSALS[number][1];

// SPDX-License-Identifier: GPL-2.0-or-later
/** What the web admin asks of dom0 about qrexec's own policy. @module */

export interface QrexecChannel {
  /** Nothing is called. @throws {Dom0Error} it cannot be judged */
  explainCall(call: AskedCall): Promise<CallVerdict>;
}

export interface AskedCall {
  readonly source: string;
  /** A qube, "@default", "@adminvm", "@dispvm". */
  readonly target: string;
  /** "qubes.VMShell", "qubes.ConnectTCP+22". */
  readonly service: string;
}

export interface CallVerdict {
  readonly verdict: "allow" | "ask" | "deny";
  /** Where it goes, or what a person may choose from. */
  readonly targets: readonly string[];
  /** "/etc/qubes/policy.d/30-user.policy:7"; null: no rule is about it. */
  readonly at: string | null;
  /** Why it is refused, or what is odd about it. */
  readonly why: string;
}

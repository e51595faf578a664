// SPDX-License-Identifier: GPL-2.0-or-later
/** How a request ended: the exit code, what to tell people, what to log. Pure. @module */

import { EXIT_OF_KIND, type Outcome } from "../../../shared/protocol/outcome.ts";
import { REFUSAL_TEXT, type RefusalReason } from "../../../shared/protocol/refusal.ts";
import type { RequestId } from "../../../shared/protocol/request_id.ts";
import { VERSION } from "../../../shared/io/version.ts";
import { EXIT_FAILED } from "../../../shared/cli/program.ts";
import type { Farewell } from "../files/connection.ts";
import type { RequestEnd } from "./run_request.ts";

export const EXIT_TIMED_OUT = 124;
export const EXIT_INTERRUPTED = 130;
/** As SIGPIPE would end it. */
export const EXIT_BROKEN_PIPE = 141;
export const EXIT_NO_ANSWER = 255;

export interface EndText {
  readonly exitCode: number;
  /** Lines for stderr, without the program's name. */
  readonly messages: readonly string[];
  readonly auditLine: string;
}

/** @param farewell the reason that dom0 gave for leaving, if it did */
export function describeEnd(
  id: RequestId,
  timeoutMs: number,
  end: RequestEnd,
  farewell: Farewell | null = null,
): EndText {
  const seconds = timeoutMs / 1000;
  const timedOut = (hints: readonly string[], inForceMs = timeoutMs): EndText => {
    const after = `${inForceMs / 1000}s`;
    const whose = inForceMs < timeoutMs ? `: dom0's limit; -t asked for ${seconds}s` : "";
    return {
      exitCode: EXIT_TIMED_OUT,
      messages: [`timed out after ${after}${whose} (id=${id})`, ...hints.map(asHint)],
      auditLine: `TIMEOUT id=${id} after=${after}`,
    };
  };
  const ended = (exitCode: number, messages: readonly string[]): EndText => ({
    exitCode,
    messages,
    auditLine: `DONE id=${id} exit=${exitCode}`,
  });

  if (end.kind === "invalid") {
    return ended(EXIT_NO_ANSWER, [`error: ${end.why} (id=${id})`, ...end.hints.map(asHint)]);
  }
  if (end.cause === "broken-pipe") return ended(EXIT_BROKEN_PIPE, []);
  if (end.cause === "write-failed") {
    return ended(EXIT_FAILED, [`error: the output could not be written (id=${id})`]);
  }
  if (end.cause === "input-failed") {
    return ended(EXIT_FAILED, [`error: what is piped in could not be passed on (id=${id})`]);
  }
  if (end.kind === "answered") {
    if (end.cause === "interrupt") return ended(EXIT_INTERRUPTED, [`interrupted (id=${id})`]);
    if (end.outcome.kind === "timeout") return timedOut([], end.outcome.limit ?? timeoutMs);
    if (end.cause === "deadline" && end.outcome.kind === "cancelled") return timedOut([]);
    const messages = [...outcomeMessages(end.outcome, end.signed), ...unconfirmed(end)];
    return ended(end.outcome.exitCode, messages);
  }
  if (end.kind === "withdrawn" && end.cause === "not-connected") {
    return ended(...notConnected(id, farewell));
  }
  if (end.kind === "withdrawn" && end.cause === "deadline") {
    return timedOut(['dom0 did not take the request: is "qvm-remote-dom0 status" fine there?']);
  }
  if (end.kind === "withdrawn") {
    return ended(EXIT_INTERRUPTED, [`interrupted before dom0 took the request (id=${id})`]);
  }
  if (end.cause === "interrupt") {
    return ended(EXIT_INTERRUPTED, [
      `interrupted (id=${id})`,
      asHint("dom0 has not said that the command ended: it may still run"),
    ]);
  }
  return ended(EXIT_NO_ANSWER, [
    `error: no answer from dom0 within ${seconds}s (id=${id})`,
    asHint('the command may still run; in dom0, look at "qvm-remote-dom0 status"'),
  ]);
}

function notConnected(
  id: RequestId,
  farewell: Farewell | null,
): [exitCode: number, messages: readonly string[]] {
  const exit = farewell === null ? EXIT_NO_ANSWER : EXIT_OF_KIND.refused;
  const why = farewell === null ? "" : `: ${FAREWELL_TEXT[farewell]}`;
  return [exit, [
    `error: dom0 is not connected${why}; nothing was run (id=${id})`,
    asHint('in dom0, "qvm-remote-dom0 status" says whether it serves this VM'),
  ]];
}

/** The reason that it gave. It may be back by now for other VMs, but not for this one. */
const FAREWELL_TEXT: Readonly<Record<Farewell, string>> = {
  "revoked": "this VM's authorisation was revoked",
  "locked-down": "dom0 was locked down",
  "stopping": "the daemon there was stopped",
};

function outcomeMessages(outcome: Outcome, signed: boolean): readonly string[] {
  const { id, kind, reason, limit = null, left = null } = outcome;
  switch (kind) {
    case "done":
      return left === null ? [] : [leftText(left)];
    case "refused":
      return refusalMessages(id, reason ?? "policy-denied", signed);
    case "timeout":
      return [`timed out in dom0 (id=${id})`];
    case "cancelled":
      return [`cancelled (id=${id})`];
    case "interrupted":
      return [
        `error: interrupted: ${
          signed ? "the daemon in dom0 died while it ran" : "what became of it is not known here"
        } (id=${id})`,
      ];
    case "revoked":
      return [`error: ended in dom0: this VM is no longer authorised (id=${id})`];
    case "locked-down":
      return [`error: ended in dom0: dom0 was locked down (id=${id})`];
    case "stopping":
      return [`error: ended in dom0: the daemon there was stopped (id=${id})`];
    case "bad-stream":
      return [
        `error: ended in dom0: a part of its stdin was not what was signed here (id=${id})`,
        asHint("something in this VM changed it on its way: who can write to ~/.qvm-remote/queue?"),
      ];
    case "not-stored":
      return [
        `error: the answer could not be stored in this VM (id=${id})`,
        asHint("is the disk full? ~/.qvm-remote/audit.log says why, and how the command ended"),
      ];
    case "output-limit":
      return [overLimit(id, "output", limit === null ? null : bytesText(limit))];
    case "process-limit":
      return [overLimit(id, "processes", limit === null ? null : `${limit}`)];
    case "memory-limit":
      return [overLimit(id, "memory", limit === null ? null : bytesText(limit))];
    default:
      return kind satisfies never;
  }
}

function overLimit(id: RequestId, what: string, limit: string | null): string {
  const than = limit === null ? "its limit allows" : `${limit}, dom0's limit`;
  return `error: ended in dom0: more ${what} than ${than} (id=${id})`;
}

function leftText(left: number): string {
  return left === 1
    ? "ended 1 process that was left running"
    : `ended ${left} processes that were left running`;
}

function bytesText(bytes: number): string {
  const [unit, size] = bytes % MIB === 0 ? ["MiB", MIB] as const : ["bytes", 1] as const;
  return `${bytes / size} ${unit}`;
}

const MIB = 1024 * 1024;

function refusalMessages(id: RequestId, reason: RefusalReason, signed: boolean): readonly string[] {
  const by = signed ? "dom0" : "this VM's queue service";
  const hint = REFUSAL_HINT.get(reason);
  const text = `error: refused by ${by}: ${REFUSAL_TEXT[reason]} (id=${id})`;
  const isOwn = reason === "not-sent" || reason === "not-known";
  return hint === undefined || (!signed && !isOwn) ? [text] : [text, asHint(hint)];
}

/** What a person can do about a refusal, here or in dom0. */
const REFUSAL_HINT: ReadonlyMap<RefusalReason, string> = new Map([
  [
    "approval-expired",
    'ask for somebody at dom0 to look at "qvm-remote-dom0 pending", and run it again',
  ],
  ["bad-operation", '"qvm-remote ops" lists the operations; with --json, the values each takes'],
  ["bad-payload", "what dom0 says of it is above; nothing was run"],
  ["bad-plan", '"qvm-remote plan --check FILE" checks it and runs nothing'],
  ["bad-mac", 'compare "qvm-remote key fingerprint" here with "qvm-remote-dom0 keys" in dom0'],
  ["clock", 'wait a minute and try again; in dom0, "qvm-remote-dom0 status" says until when'],
  ["future", 'in dom0, run "qvm-sync-clock"'],
  [
    "not-approved",
    "the reason, if one was given, is above; talk to that person before you try again",
  ],
  [
    "not-known",
    `update qubes-claw in dom0 to ${VERSION} or later; until then op, ops, plan, -i, --why and ` +
    "--explain do not work",
  ],
  ["not-sent", "~/.qvm-remote/audit.log says why"],
  ["locked-down", 'in dom0, run "qvm-remote-dom0 unlock" to end that'],
  ["policy-denied", "in dom0, see /etc/qubes/remote-policy.d"],
  ["rate-limited", "wait a minute, and ask less often"],
  ["stale", "run it again; if that does not help, compare the clocks"],
  ["too-many-parked", 'wait until some are decided: in dom0, "qvm-remote-dom0 pending" lists them'],
  ["v1-not-accepted", 'leave out "--protocol 1"'],
  ["wrong-vm", 'was this VM cloned or renamed? run "rm ~/.qvm-remote/name" and try again'],
]);

function unconfirmed({ unconfirmedBytes }: RequestEnd & { kind: "answered" }): readonly string[] {
  if (unconfirmedBytes === 0) return [];
  return [asHint(`the last ${unconfirmedBytes} bytes of output are not covered by dom0's answer`)];
}

function asHint(text: string): string {
  return `hint: ${text}`;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** One request from end to end: publish, copy the output as it comes, check what dom0 signed. @module */

import type { Outcome } from "../../../shared/protocol/outcome.ts";
import type { RequestId } from "../../../shared/protocol/request_id.ts";
import { type Answer, isSame } from "./answer.ts";
import { createBell } from "./bell.ts";
import { CANCEL_GRACE_MS, publishAndWait, type StopCause, type WaitTimes } from "./await_answer.ts";
import type { Exchange } from "./exchange.ts";
import { type Copied, type Follower, followFile, openIfPlain } from "./follower.ts";
import type { LiveInput } from "../live/live_input.ts";
import { interrupted, type Interrupts } from "./interrupts.ts";
import { findPart } from "../files/archive.ts";
import type { Layout } from "../files/layout.ts";

/** Takes output as it comes. */
export type Sink = (bytes: Uint8Array) => Promise<void>;

export interface RunPorts {
  readonly layout: Layout;
  readonly interrupts: Interrupts;
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly onPublished: () => void;
  readonly onWaiting: (waitedMs: number, isParked: boolean) => void;
  readonly onParked: (isParked: boolean) => void;
  readonly onSent?: (bytes: number) => void;
  /** What is passed on to the command while it runs. */
  readonly live?: LiveInput | null;
}

export type RequestEnd =
  | {
    readonly kind: "answered";
    readonly outcome: Outcome;
    readonly signed: boolean;
    readonly cause: StopCause | null;
    /** Output that was shown but is not covered by the outcome: dom0's daemon crashed. */
    readonly unconfirmedBytes: number;
  }
  | { readonly kind: "invalid"; readonly why: string; readonly hints: readonly string[] }
  | { readonly kind: "withdrawn" | "no-answer"; readonly cause: StopCause | null };

export async function runRequest(
  exchange: Exchange,
  times: WaitTimes,
  ports: RunPorts,
): Promise<RequestEnd> {
  const { layout, interrupts, live = null } = ports;
  const bell = createBell();
  live?.listen(bell.ring);
  const hasInputFailed = (): boolean => live !== null && live.failure() !== null;
  let outputFailure: StopCause | null = null;
  const follow = (part: "out" | "err", sink: Sink): Follower =>
    followFile(() => findPart(layout, exchange.id, part, openIfPlain), sink, (error) => {
      outputFailure ??= error instanceof Deno.errors.BrokenPipe ? "broken-pipe" : "write-failed";
      bell.ring();
    });
  const followers = [follow("out", ports.stdout), follow("err", ports.stderr)];
  const end = await publishAndWait(exchange, times, {
    onSent() {},
    ...ports,
    bell,
    followers,
    passingFailure: () => outputFailure ?? (hasInputFailed() ? "input-failed" : null),
  });
  if (end.kind !== "answered") return { kind: end.kind, cause: end.cause };

  // Waits for a slow reader of the output until interrupted. A Ctrl-C that came together with the
  // answer counts, as it has cancelled nothing.
  const leave = end.cause === null
    ? interrupted(interrupts, 1)
    : createBell().wait(CANCEL_GRACE_MS);
  const copied = Promise.all(followers.map((follower) => follower.finish()));
  const answer = await exchange.answer(); // now: a slow reader may outlive the files
  const done = await Promise.race([copied, leave.then(() => null)]);
  if (answer.kind === "invalid") return answer;
  if (done === null) {
    const { outcome, signed } = answer;
    const cause = end.cause ?? "interrupt";
    return { kind: "answered", outcome, signed, cause, unconfirmedBytes: 0 };
  }
  const cause = outputFailure ?? end.cause;
  return await checkOutput(exchange, answer, done, cause, layout);
}

async function checkOutput(
  exchange: Exchange,
  { outcome, signed }: Answer & { kind: "valid" },
  [out, err]: readonly Copied[],
  cause: StopCause | null,
  layout: Layout,
): Promise<RequestEnd> {
  const same = { kind: "answered", outcome, signed, cause, unconfirmedBytes: 0 } as const;
  if (!exchange.signsOutput || !signed) return same;
  const [wholeOut, wholeErr] = [
    await covered(layout, exchange.id, "out", out, outcome),
    await covered(layout, exchange.id, "err", err, outcome),
  ];
  if (wholeOut === undefined || wholeErr === undefined) {
    return { kind: "invalid", why: "the output is not what dom0 signed", hints: [] };
  }
  return { ...same, unconfirmedBytes: wholeOut + wholeErr };
}

/**
 * How many bytes more than the outcome covers were copied; undefined if what it covers is
 * something else. An interrupted command may have shown more than dom0 kept of it, and the
 * service has cut the file to what dom0 kept.
 */
async function covered(
  layout: Layout,
  id: RequestId,
  part: "out" | "err",
  copied: Copied | undefined,
  outcome: Outcome,
): Promise<number | undefined> {
  const summary = outcome[part];
  if (copied === undefined || isSame(copied, summary)) return copied && 0;
  if (outcome.kind !== "interrupted" || copied.bytes <= summary.bytes) return undefined;
  const open = () => findPart(layout, id, part, openIfPlain);
  const file = await followFile(open, () => Promise.resolve(), () => {}).finish();
  return isSame(file, summary) ? copied.bytes - summary.bytes : undefined;
}

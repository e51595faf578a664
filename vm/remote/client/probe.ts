// SPDX-License-Identifier: GPL-2.0-or-later
/** Asks dom0 to run `true`: does it answer, and how fast? Leaves no trace in log or history. @module */

import { spanMs } from "../../../shared/io/clock.ts";
import { utf8 } from "../../../shared/protocol/bytes.ts";
import { PLAIN_REQUEST } from "../../../shared/protocol/envelope.ts";
import { createExchange, NeverConnectedError } from "./create_exchange.ts";
import { describeEnd } from "./end_text.ts";
import { catchInterrupts } from "./interrupts.ts";
import { readKey } from "../files/key_file.ts";
import { type Layout, RESULT_PARTS, resultPath } from "../files/layout.ts";
import { removeIfPresent } from "../../../shared/io/sync_files.ts";
import { runRequest } from "./run_request.ts";

export type ProbeResult =
  | { readonly kind: "responding"; readonly roundTripMs: number }
  /** It answered, but with a refusal or a wrong answer. */
  | {
    readonly kind: "refusing";
    readonly roundTripMs: number;
    readonly messages: readonly string[];
  }
  | { readonly kind: "silent" };

/** @throws {UserError} if there is no key */
export async function probeDom0(layout: Layout, timeoutMs: number): Promise<ProbeResult> {
  const key = await readKey(layout);
  const interrupts = catchInterrupts();
  const command = { mode: "script", script: utf8("true\n") } as const;
  const request = {
    layout,
    key,
    command,
    ...PLAIN_REQUEST,
    detachedForm: null,
    timeoutMs,
    connectMs: timeoutMs,
    protocol: 2,
    interrupts,
  } as const;
  let exchange;
  try {
    exchange = await createExchange(request, () => {});
  } catch (error) {
    if (error instanceof NeverConnectedError) return { kind: "silent" };
    throw error;
  }
  const startMs = spanMs();
  const discard = () => Promise.resolve();
  let asksAPerson = false;
  const end = await runRequest(exchange, { answerMs: timeoutMs, connectMs: timeoutMs }, {
    layout,
    stdout: discard,
    stderr: discard,
    onPublished() {},
    onWaiting() {},
    onParked: () => asksAPerson = true,
    // This never waits for a person: that it is parked is an answer.
    interrupts: { ...interrupts, count: () => interrupts.count() + (asksAPerson ? 1 : 0) },
  });
  const roundTripMs = spanMs() - startMs;
  for (const part of RESULT_PARTS) removeIfPresent(resultPath(layout, exchange.id, part));
  if (asksAPerson && interrupts.count() === 0) return { kind: "responding", roundTripMs };
  if (end.kind === "withdrawn" || end.kind === "no-answer") return { kind: "silent" };
  const { exitCode, messages } = describeEnd(exchange.id, timeoutMs, end);
  return exitCode === 0
    ? { kind: "responding", roundTripMs }
    : { kind: "refusing", roundTripMs, messages };
}

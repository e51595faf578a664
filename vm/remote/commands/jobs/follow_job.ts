// SPDX-License-Identifier: GPL-2.0-or-later
/** Shows a job until it ends, or until whoever looks has seen enough: the job goes on then. @module */

import { UserError } from "../../../../shared/cli/program.ts";
import {
  describeEnd,
  type EndText,
  EXIT_INTERRUPTED,
  EXIT_TIMED_OUT,
} from "../../client/end_text.ts";
import type { Exchange } from "../../client/exchange.ts";
import type { Interrupts } from "../../client/interrupts.ts";
import { createLeave, either } from "../../client/leave.ts";
import { createProgress } from "../../client/progress.ts";
import { type RequestEnd, runRequest, type Sink } from "../../client/run_request.ts";
import type { Detached } from "../../files/detached.ts";
import { jobState } from "../../files/job_state.ts";
import type { Layout } from "../../files/layout.ts";
import { after } from "../../files/timer.ts";
import type { AnswerView } from "../../view/answer_view.ts";
import type { Given } from "../cli_words.ts";
import { showEnd } from "../deliver.ts";

export interface Following {
  readonly job: Detached;
  readonly exchange: Exchange;
  readonly interrupts: Interrupts;
  readonly view: AnswerView;
  /** How long at most. */
  readonly waitMs: number;
  /** Bytes of stdout that are left out at its beginning. */
  readonly fromByte: number;
  /** Whether somebody else may fetch the answer. */
  readonly isLookingOn: boolean;
}

export async function followJob(
  layout: Layout,
  given: Given,
  { job: { id, timeoutMs }, exchange, interrupts, view, waitMs, ...how }: Following,
): Promise<{ readonly end: RequestEnd; readonly exitCode: number }> {
  const progress = createProgress(given, waitMs);
  const leave = createLeave();
  let isTimeUp = false;
  const stopTimer = waitMs === Infinity ? () => {} : after(waitMs, () => {
    if (jobState(layout, id) === "ended") return; // a slow reader gets all of it
    isTimeUp = true;
    leave.now();
  });
  const end = await runRequest(exchange, { answerMs: Infinity, connectMs: Infinity }, {
    layout,
    interrupts: either(interrupts, leave),
    onPublished() {},
    onParked: progress.parked,
    stdout: startingAt(how.fromByte, view.stdout),
    stderr: view.stderr,
    onWaiting: (waitedMs, isParked) => progress.waiting(id, layout, waitedMs, isParked),
  });
  stopTimer();
  if (end.kind === "answered" && end.outcome.out.bytes < how.fromByte) {
    throw new UserError(
      `--from ${how.fromByte} is beyond the end: the output has ${end.outcome.out.bytes} bytes`,
    );
  }
  const hasLeft = end.kind === "no-answer" && end.cause === "interrupt";
  const text = hasLeft ? goesOn(id, isTimeUp, waitMs) : describeEnd(id, timeoutMs, end);
  const auditLine = how.isLookingOn ? `ATTACH id=${id} exit=${text.exitCode}` : text.auditLine;
  await showEnd(layout, id, end, { ...text, auditLine }, view);
  return { end, exitCode: text.exitCode };
}

function startingAt(fromByte: number, sink: Sink): Sink {
  let toSkip = fromByte;
  return (bytes) => {
    const rest = bytes.subarray(Math.min(toSkip, bytes.length));
    toSkip -= bytes.length - rest.length;
    return rest.length === 0 ? Promise.resolve() : sink(rest);
  };
}

/** The waiting has ended; the job has not. */
function goesOn(id: string, isTimeUp: boolean, waitMs: number): EndText {
  return {
    exitCode: isTimeUp ? EXIT_TIMED_OUT : EXIT_INTERRUPTED,
    messages: [
      (isTimeUp ? `no answer within ${waitMs / 1000}s` : "interrupted") +
      `; the request goes on (id=${id})`,
      `hint: "qvm-remote wait ${id}" waits again; "qvm-remote cancel ${id}" ends the request`,
    ],
    auditLine: `WAIT id=${id} ${isTimeUp ? "timed out" : "interrupted"}`,
  };
}

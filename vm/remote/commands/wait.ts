// SPDX-License-Identifier: GPL-2.0-or-later
/** `qvm-remote wait ID`: the answer to a request that was sent with --no-wait. @module */

import { UserError } from "../../../shared/cli/program.ts";
import { isPresent } from "../../../shared/io/sync_files.ts";
import { printable } from "../../../shared/protocol/printable.ts";
import type { RequestId } from "../../../shared/protocol/request_id.ts";
import { describeEnd, type EndText, EXIT_INTERRUPTED, EXIT_TIMED_OUT } from "../client/end_text.ts";
import { catchInterrupts, type Interrupts } from "../client/interrupts.ts";
import { createProgress } from "../client/progress.ts";
import { reopenRequest } from "../client/request_v2.ts";
import { runRequest } from "../client/run_request.ts";
import { fetchFromHistory } from "../files/archive.ts";
import { type Detached, forgetDetached, readDetached } from "../files/detached.ts";
import { readKey } from "../files/key_file.ts";
import { detachedPath, historyFolder, type Layout } from "../files/layout.ts";
import { lockWithin } from "../files/lock.ts";
import { idOfName } from "../files/queue_entry.ts";
import { isAnswered } from "../files/result_files.ts";
import { viewOf } from "../view/view_of.ts";
import { type Given, parseTimeout } from "./cli_words.ts";
import { keepAnswer, showEnd } from "./deliver.ts";

/** Long enough to see whether another `wait` holds the lock. */
const LOCK_PROBE_MS = 200;

export async function wait(layout: Layout, given: Given): Promise<number> {
  const [word = ""] = given.words;
  const id = idOfName(word);
  if (id === undefined) throw new UserError(`not an id: ${printable(word)}`);
  const interrupts = catchInterrupts(); // who sees the lock may send one
  const detached = await readDetached(layout, id);
  if (detached === undefined) throw nothingToFetch(layout, id);
  using lock = await lockWithin(detachedPath(layout, id), LOCK_PROBE_MS);
  if (lock === null) throw new UserError(`another "qvm-remote wait" waits for ${id}`);
  return await fetchAnswer(layout, given, detached, interrupts);
}

async function fetchAnswer(
  layout: Layout,
  given: Given,
  detached: Detached,
  interrupts: Interrupts,
): Promise<number> {
  const { id, form, timeoutMs } = detached;
  const answerMs = given.has("timeout") ? parseTimeout(given, 0) : Infinity;
  const exchange = reopenRequest(layout, await readKey(layout), detached);
  if (isPresent(`${historyFolder(layout, id)}/exit`)) fetchFromHistory(layout, id);
  else if (given.has("cancel") && !isAnswered(layout, id)) exchange.cancel();
  const progress = createProgress(given, answerMs);
  const view = viewOf(form, given);
  const end = await runRequest(exchange, { answerMs, connectMs: Infinity }, {
    layout,
    interrupts,
    onPublished() {},
    onParked: progress.parked,
    stdout: view.stdout,
    stderr: view.stderr,
    onWaiting: (waitedMs, isParked) => progress.waiting(id, layout, waitedMs, isParked),
  });
  const hasLeft = end.kind === "no-answer" &&
    (end.cause === "deadline" || end.cause === "interrupt");
  const text = hasLeft
    ? goesOn(id, end.cause === "deadline", answerMs)
    : describeEnd(id, timeoutMs, end);
  await showEnd(layout, id, end, text, view);
  if (end.kind === "answered" && end.cause === null) { // else it can be fetched again
    keepAnswer(layout, id, null);
    forgetDetached(layout, id);
  }
  return text.exitCode;
}

function nothingToFetch(layout: Layout, id: RequestId): UserError {
  const isKnown = isPresent(historyFolder(layout, id));
  return new UserError(`nothing to fetch: ${id}`, [
    isKnown
      ? `its answer was fetched: "qvm-remote history show ${id}"`
      : "only what was sent with --no-wait from here can be waited for, for 30 days",
  ]);
}

/** The waiting has ended; the request has not. */
function goesOn(id: RequestId, isTimeUp: boolean, answerMs: number): EndText {
  return {
    exitCode: isTimeUp ? EXIT_TIMED_OUT : EXIT_INTERRUPTED,
    messages: [
      (isTimeUp ? `no answer within ${answerMs / 1000}s` : "interrupted") +
      `; the request goes on (id=${id})`,
      `hint: "qvm-remote wait ${id}" waits again; with --cancel, it ends the request`,
    ],
    auditLine: `WAIT id=${id} ${isTimeUp ? "timed out" : "interrupted"}`,
  };
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** `qvm-remote cancel JOB`: ends it, and says whether it has ended. Its answer stays to be fetched. @module */

import { EXIT_OK, UserError } from "../../../../shared/cli/program.ts";
import { CANCEL_GRACE_MS } from "../../client/await_answer.ts";
import { EXIT_NO_ANSWER } from "../../client/end_text.ts";
import { catchInterrupts } from "../../client/interrupts.ts";
import { cancelJob, findJob } from "../../client/job.ts";
import { createLeave, either } from "../../client/leave.ts";
import { reopenRequest } from "../../client/request_v2.ts";
import { runRequest } from "../../client/run_request.ts";
import { audit } from "../../files/audit_log.ts";
import { readConnection } from "../../files/connection.ts";
import { type Detached, forgetDetached } from "../../files/detached.ts";
import { jobState } from "../../files/job_state.ts";
import { readKey } from "../../files/key_file.ts";
import type { Layout } from "../../files/layout.ts";
import { after } from "../../files/timer.ts";
import type { Given } from "../cli_words.ts";
import { print } from "../print.ts";

export async function cancel(layout: Layout, given: Given): Promise<number> {
  const [word = ""] = given.words;
  const job = await findJob(layout, word);
  const { id } = job;
  switch (jobState(layout, id)) {
    case "ended":
      throw new UserError(`${id} has ended: there is nothing to cancel`, [
        `"qvm-remote wait ${id}" has its answer`,
      ]);
    case "gone":
      forgetDetached(layout, id);
      print(given, { id, outcome: "not-sent" }, `${id} was never sent; it is off the list\n`);
      return EXIT_OK;
  }
  await cancelJob(layout, job);
  audit(layout, `CANCEL id=${id} by=client`);
  const outcome = await endOf(layout, job);
  if (outcome !== null) {
    print(given, { id, outcome }, `${id} has ended: ${outcome}\n`);
    return EXIT_OK;
  }
  const isConnected = (await readConnection(layout)).kind === "connected";
  const told = isConnected
    ? "dom0 was told to end it, and has not said that it did"
    : "dom0 is not connected: it is told when it is back";
  print(given, { id, outcome: null, told }, `${id} has not ended: ${told}\n`);
  return EXIT_NO_ANSWER;
}

/** null: it has not ended, or with an answer that cannot be believed, of which `wait` says why. */
async function endOf(layout: Layout, job: Detached): Promise<string | null> {
  const isConnected = (await readConnection(layout)).kind === "connected";
  const exchange = reopenRequest(layout, await readKey(layout), job);
  const leave = createLeave();
  const stopTimer = after(isConnected ? CANCEL_GRACE_MS : 0, leave.now);
  const discard = () => Promise.resolve();
  const end = await runRequest(exchange, { answerMs: Infinity, connectMs: Infinity }, {
    layout,
    interrupts: either(catchInterrupts(), leave),
    stdout: discard,
    stderr: discard,
    onPublished() {},
    onParked() {},
    onWaiting() {},
  });
  stopTimer();
  return end.kind === "answered" ? end.outcome.kind : null;
}

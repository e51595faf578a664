// SPDX-License-Identifier: GPL-2.0-or-later
/** `qvm-remote wait JOB`: the answer to a request that was sent with --detach, fetched once. @module */

import { UserError } from "../../../../shared/cli/program.ts";
import { catchInterrupts } from "../../client/interrupts.ts";
import { cancelJob, expectNotGone, findJob } from "../../client/job.ts";
import { reopenRequest } from "../../client/request_v2.ts";
import { forgetDetached } from "../../files/detached.ts";
import { readKey } from "../../files/key_file.ts";
import { detachedPath, type Layout } from "../../files/layout.ts";
import { lockWithin } from "../../files/lock.ts";
import { viewOf } from "../../view/view_of.ts";
import { type Given, parseTimeout } from "../cli_words.ts";
import { keepAnswer } from "../deliver.ts";
import { followJob } from "./follow_job.ts";

/** Long enough to see whether another `wait` holds the lock. */
const LOCK_PROBE_MS = 200;

export async function wait(layout: Layout, given: Given): Promise<number> {
  const [word = ""] = given.words;
  const interrupts = catchInterrupts(); // who sees the lock may send one
  const job = await findJob(layout, word);
  const { id, form } = job;
  using lock = await lockWithin(detachedPath(layout, id), LOCK_PROBE_MS);
  if (lock === null) throw new UserError(`another "qvm-remote wait" waits for ${id}`);
  expectNotGone(layout, job);
  if (given.has("cancel")) await cancelJob(layout, job);
  const { end, exitCode } = await followJob(layout, given, {
    job,
    exchange: reopenRequest(layout, await readKey(layout), job),
    interrupts,
    view: viewOf(form, given),
    waitMs: parseTimeout(given, Infinity),
    fromByte: 0,
    isLookingOn: false,
  });
  if (end.kind === "answered" && end.cause === null) { // else it can be fetched again
    keepAnswer(layout, id, null);
    forgetDetached(layout, id);
  }
  return exitCode;
}

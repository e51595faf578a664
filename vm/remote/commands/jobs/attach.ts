// SPDX-License-Identifier: GPL-2.0-or-later
/** `qvm-remote attach JOB`: looks on, from any number of places at once; the job stays as it is. @module */

import { parseNumber } from "../../../../shared/cli/options.ts";
import { catchInterrupts } from "../../client/interrupts.ts";
import { expectNotGone, findJob } from "../../client/job.ts";
import { reopenRequest } from "../../client/request_v2.ts";
import { readKey } from "../../files/key_file.ts";
import type { Layout } from "../../files/layout.ts";
import { outputView } from "../../view/output_view.ts";
import { viewOf } from "../../view/view_of.ts";
import type { Given } from "../cli_words.ts";
import { followJob } from "./follow_job.ts";

export async function attach(layout: Layout, given: Given): Promise<number> {
  const [word = ""] = given.words;
  const from = given.value("from");
  const fromByte = from === undefined ? 0 : parseNumber("--from", from, 0, Number.MAX_SAFE_INTEGER);
  const interrupts = catchInterrupts();
  const job = await findJob(layout, word);
  expectNotGone(layout, job);
  const { exitCode } = await followJob(layout, given, {
    job,
    exchange: reopenRequest(layout, await readKey(layout), job),
    interrupts,
    // A part of a value is none: from a byte on, it is shown as the text that it is.
    view: from === undefined ? viewOf(job.form, given) : outputView(given),
    waitMs: Infinity,
    fromByte,
    isLookingOn: true,
  });
  return exitCode;
}

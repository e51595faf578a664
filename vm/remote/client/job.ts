// SPDX-License-Identifier: GPL-2.0-or-later
/** Jobs: requests that were sent and left to themselves, found by their id. @module */

import { UserError } from "../../../shared/cli/program.ts";
import { isPresent, removeIfPresent } from "../../../shared/io/sync_files.ts";
import { printable } from "../../../shared/protocol/printable.ts";
import type { RequestId } from "../../../shared/protocol/request_id.ts";
import { readConnection } from "../files/connection.ts";
import { type Detached, readDetached } from "../files/detached.ts";
import { jobState } from "../files/job_state.ts";
import { readKey } from "../files/key_file.ts";
import { historyFolder, type Layout } from "../files/layout.ts";
import { idOfName } from "../files/queue_entry.ts";
import { answerLocally, forgetRequest } from "../files/result_files.ts";
import { readVmName } from "../files/vm_name_file.ts";
import { reopenRequest } from "./request_v2.ts";

/** @throws {UserError} there is no such job, or it belongs to another VM */
export async function findJob(layout: Layout, untrustedWord: string): Promise<Detached> {
  const id = idOfName(untrustedWord);
  if (id === undefined) {
    throw new UserError(`not an id: ${printable(untrustedWord)}`, ['"qvm-remote jobs" lists them']);
  }
  const job = await readDetached(layout, id);
  if (job === undefined) throw noSuchJob(layout, id);
  const vm = await readVmName(layout);
  if (vm === undefined || vm === job.vm) return job;
  throw new UserError(`${id} is a job of the VM ${job.vm}; this one is ${vm}`, [
    `was this VM cloned or renamed? dom0 gives the answer to ${job.vm} only`,
  ]);
}

/** @throws {UserError} if nothing can become of it any more */
export function expectNotGone(layout: Layout, { id }: Detached): void {
  if (jobState(layout, id) !== "gone") return;
  throw new UserError(`${id} is not in the queue, and there is no answer to it`, [
    "it was taken back before dom0 took it, or its files were removed: nothing waits for it",
    `"qvm-remote cancel ${id}" takes it off the list`,
  ]);
}

function noSuchJob(layout: Layout, id: RequestId): UserError {
  const folder = historyFolder(layout, id);
  if (isPresent(`${folder}/exit`)) {
    return new UserError(`no job any more: ${id}`, [
      `its answer was fetched: "qvm-remote history show ${id}"`,
    ]);
  }
  if (jobState(layout, id) !== "gone") {
    return new UserError(`not a job: ${id}`, ["its client waits for it"]);
  }
  return new UserError(`no such job: ${id}`, [
    'jobs are what was sent with --detach from this VM, for 30 days: "qvm-remote jobs" lists them',
  ]);
}

/** Ends it in dom0; what dom0 has not taken, and cannot take now, is taken back here. */
export async function cancelJob(layout: Layout, job: Detached): Promise<void> {
  const { id, nonce } = job;
  const isAlone = (await readConnection(layout)).kind === "none";
  if (isAlone && removeIfPresent(`${layout.pending}/${id}`)) {
    answerLocally(layout, id, nonce, { kind: "cancelled", reason: null }, "");
    forgetRequest(layout, id); // what it would have brought, too
  } else if (jobState(layout, id) !== "ended") {
    reopenRequest(layout, await readKey(layout), job).cancel();
  }
}

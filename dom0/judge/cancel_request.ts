// SPDX-License-Identifier: GPL-2.0-or-later
/** A request of a VM, ended by the operator: its VM is told as if it had taken it back itself. @module */

import { within } from "../../shared/io/timing.ts";
import { printable } from "../../shared/protocol/printable.ts";
import type { Answer } from "../approval/parking.ts";
import type { Audit } from "../record/audit_log.ts";
import type { Job } from "./job.ts";

/** What does not end when it is asked to is killed long before. */
const END_MS = 15_000;

/** @param by who does it, for the record */
export type CancelRequest = (
  named: { readonly vm: string; readonly id: string },
  by: string,
) => Promise<Answer>;

export function createCancelRequest(jobs: () => readonly Job[], audit: Audit): CancelRequest {
  return async ({ vm, id }, by) => {
    const job = jobs().find(({ request, outcome }) =>
      request.vm === vm && request.id === id && outcome() === null
    );
    if (job === undefined) {
      const text = `${printable(id)} of ${printable(vm)} has ended already, or never was`;
      return { ok: false, text };
    }
    audit.record("operator", { action: "cancelled", vm, id, by });
    await audit.sync();
    job.stop("cancelled");
    await within(END_MS, job.ended());
    return job.outcome() === null
      ? { ok: false, text: `${id} of ${vm} was told to end, and has not yet` }
      : { ok: true, text: `${id} of ${vm} is ended` };
  };
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** Answers that dom0 gives without running anything, and who gets to hear a job's. @module */

import { errorText } from "../../shared/cli/program.ts";
import { utf8 } from "../../shared/protocol/bytes.ts";
import type { AuthenticRequest } from "../../shared/protocol/envelope.ts";
import { EMPTY_STREAM, refusedOutcome } from "../../shared/protocol/outcome.ts";
import type { RefusalReason } from "../../shared/protocol/refusal.ts";
import type { RequestId } from "../../shared/protocol/request_id.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import type { AuditFields } from "../record/audit_chain.ts";
import { type Audit, recordQuietly } from "../record/audit_log.ts";
import { interruptedOutcome, type OutcomeStore } from "../record/outcome_store.ts";
import { keepOutcome } from "../run/concluding.ts";
import { NAME } from "../run/warden.ts";
import { type Job, nameOf, type Seat } from "./job.ts";
import type { OpenJobs } from "./open_jobs.ts";

/** A VM may break its sessions as often as it likes; only the first few are recorded. */
const RECORDED_SEATINGS = 8;

/** "observed": nothing was done, because the desk only looks or the session is over. */
export type Received =
  | { readonly job: Job }
  | { readonly refused: RefusalReason }
  | { readonly observed: true };

/** A request by what it says of itself, before or after its MAC is known to be good. */
export interface Claim {
  readonly vm: VmName;
  readonly id: RequestId;
  readonly nonce: string;
}

export interface Refusal {
  readonly reason: RefusalReason;
  readonly text: string | null;
  readonly told: AuditFields;
}

export interface Answers {
  /** Of a request of which nothing is kept. */
  refuse(claim: Claim, reason: RefusalReason, seat: Seat, told?: AuditFields): Received;
  /** Of a taken one; `text` is for whoever asked. */
  endRefused(job: Job, refusal: Refusal, seat: Seat | null): Received;
  /** Of a taken one whose record has been made. */
  close(job: Job, reason: RefusalReason, text: string | null): void;
  /** The session is told what becomes of the job, unless another one has its seat; null: it knows. */
  sit(job: Job, seat: Seat | null): Received;
  /** The request has come again. */
  join(request: AuthenticRequest, seat: Seat): Received;
  /** A power cut left only its ledger entry: it may have run, and how it ended is not known. */
  answerLost(request: AuthenticRequest, seat: Seat): Received;
}

export interface AnswersOptions {
  readonly audit: Audit;
  readonly store: OutcomeStore;
  readonly jobs: Pick<OpenJobs, "find" | "open">;
}

export function createAnswers({ audit, store, jobs }: AnswersOptions): Answers {
  const refuse: Answers["refuse"] = ({ vm, id, nonce }, reason, seat, told = {}) => {
    if (seat.mayRecordRefusal()) recordQuietly(audit, "refused", { vm, id, reason, ...told });
    seat.outcome(refusedOutcome(id, nonce, reason));
    return { refused: reason };
  };
  const sit: Answers["sit"] = (job, seat) => {
    if (seat === null) return { job };
    if (job.hasSeat()) return refuse(job.request, "replay", seat);
    job.attach(seat);
    return { job };
  };
  const close: Answers["close"] = (job, reason, text) => {
    const { vm, id, nonce } = job.request;
    if (text !== null) say(job, text);
    const outcome = job.finish((spool) => refusedOutcome(id, nonce, reason, spool.summary(2)));
    keepOutcome(store, audit, vm, outcome);
    job.pump();
  };
  return {
    refuse,
    sit,
    close,
    endRefused(job, { reason, text, told }, seat) {
      const { vm, id } = job.request;
      close(job, reason, text);
      if (seat === null || seat.mayRecordRefusal()) {
        recordQuietly(audit, "refused", { vm, id, reason, ...told });
      }
      return sit(job, seat);
    },
    join(request, seat) {
      const job = jobs.find(request.vm, request.id);
      if (job === undefined || job.request.digest !== request.digest || job.hasSeat()) {
        return refuse(request, "replay", seat);
      }
      if (job.seatings() < RECORDED_SEATINGS) recordQuietly(audit, "resumed", nameOf(request));
      job.attach(seat);
      return { job };
    },
    answerLost(request, seat) {
      const { vm, id, nonce } = request;
      let job: Job;
      try {
        job = jobs.open(request, () => {});
      } catch { // answered all the same, and again if it comes again
        seat.outcome(interruptedOutcome(id, nonce, { summary: () => EMPTY_STREAM }));
        return { observed: true };
      }
      const outcome = job.finish((spool) => interruptedOutcome(id, nonce, spool));
      keepOutcome(store, audit, vm, outcome);
      recordQuietly(audit, "interrupted", { vm, id, by: "power-cut" });
      return sit(job, seat);
    },
  };
}

/** If this text cannot be given, nothing is lost: the reason is in the outcome. */
function say(job: Job, text: string): void {
  try {
    job.append(2, utf8(`${NAME}: ${text}\n`));
  } catch (error) {
    console.error(`text of a refusal: ${errorText(error)}`);
  }
}

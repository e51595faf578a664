// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The book of open jobs: every request that dom0 has taken and whose outcome its VM has not
 * acknowledged, by VM and id. It limits how many a VM may have, and drops what nobody fetches.
 *
 * @module
 */

import type { Clock } from "../../shared/io/clock.ts";
import type { AuthenticRequest } from "../../shared/protocol/envelope.ts";
import { MAX_OPEN_REQUESTS } from "../../shared/protocol/limits.ts";
import type { OutcomeKind } from "../../shared/protocol/outcome.ts";
import type { RequestId } from "../../shared/protocol/request_id.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import { type Audit, type IsOnRecord, recordQuietly } from "../record/audit_log.ts";
import type { Ledger } from "../record/ledger.ts";
import type { KeptRequest, OutcomeStore } from "../record/outcome_store.ts";
import { endOf } from "../run/concluding.ts";
import type { StopReason } from "../run/runner.ts";
import { createJob, type Job, nameOf } from "./job.ts";

/** An outcome that nobody fetched is kept this long. */
const KEEP_OUTCOME_MS = 24 * 3600 * 1000;
/** Output that a VM has not acknowledged: beyond this nothing new runs for it. */
const MAX_KEPT_BYTES = 256 * 1024 * 1024;

export interface OpenJobs {
  find(vm: VmName, id: RequestId): Job | undefined;
  all(): readonly Job[];
  /** Says on disk that dom0 will answer it. @throws if that cannot be written */
  open(request: AuthenticRequest, onStop: (reason: StopReason) => void): Job;
  /** The VM has its outcome. */
  acknowledged(job: Job): void;
  /** Whether one more may be open; it may drop one that the VM has not asked for again. */
  makeRoom(vm: VmName): boolean;
  /** Drops outcomes that nobody fetched in a day. */
  forgetOld(): void;
}

export interface OpenJobsOptions {
  readonly store: OutcomeStore;
  readonly ledger: Pick<Ledger, "answered">;
  readonly audit: Audit;
  readonly clock: Pick<Clock, "spanMs">;
  /** For outcomes of an earlier daemon: false if it was killed before it could record this one. */
  readonly isOnRecord: IsOnRecord;
  readonly onChange: () => void;
}

/** Begins with what an earlier daemon left. */
export function createOpenJobs(options: OpenJobsOptions): OpenJobs {
  const { store, ledger, audit, clock, onChange } = options;
  const book = createBook();
  for (const kept of store.recover()) book.enter(recover(kept, options));
  const forget = (job: Job): void => {
    job.close();
    store.forget(job.request.vm, job.request.id);
    book.strike(job);
    onChange();
  };
  /**
   * A VM sends again what has no answer before it sends what is new. So what is kept for it and
   * was not asked for is answered there, and only its ack was lost: one such makes room.
   */
  const forgetUnclaimed = (vm: VmName): boolean => {
    const job = book.of(vm).find((kept) => kept.outcome() !== null && !kept.hasSeat());
    if (job === undefined) return false;
    recordQuietly(audit, "outcome-expired", { ...nameOf(job.request), by: "room" });
    forget(job);
    ledger.answered(job.request);
    return true;
  };
  return {
    find: book.find,
    all: book.all,
    open(request, onStop) {
      const { vm, id, nonce, digest, protocol } = request; // the job outlives the body
      return book.enter(createJob({
        request: { vm, id, nonce, digest, protocol },
        sinceMs: clock.spanMs(),
        spool: store.begin(request),
        outcome: null,
        onStop,
      }));
    },
    acknowledged(job) {
      forget(job);
      ledger.answered(job.request);
    },
    makeRoom: (vm) => !isFull(book.of(vm)) || forgetUnclaimed(vm),
    forgetOld() {
      const oldest = clock.spanMs() - KEEP_OUTCOME_MS;
      for (const job of book.all()) {
        if (job.outcome() === null || job.sinceMs > oldest || job.hasSeat()) continue;
        recordQuietly(audit, "outcome-expired", nameOf(job.request));
        forget(job);
      }
    },
  };
}

/** Jobs by VM and id, in the order in which they were entered. */
interface Book {
  find(vm: VmName, id: RequestId): Job | undefined;
  of(vm: VmName): readonly Job[];
  all(): readonly Job[];
  enter(job: Job): Job;
  strike(job: Job): void;
}

function createBook(): Book {
  const jobs = new Map<VmName, Map<RequestId, Job>>();
  const pageOf = (vm: VmName): Map<RequestId, Job> => {
    const known = jobs.get(vm) ?? new Map<RequestId, Job>();
    jobs.set(vm, known);
    return known;
  };
  return {
    find: (vm, id) => pageOf(vm).get(id),
    of: (vm) => [...pageOf(vm).values()],
    all: () => [...jobs.values()].flatMap((page) => [...page.values()]),
    enter(job) {
      pageOf(job.request.vm).set(job.request.id, job);
      return job;
    },
    strike({ request }) {
      pageOf(request.vm).delete(request.id);
    },
  };
}

function isFull(kept: readonly Job[]): boolean {
  const bytes = kept.reduce((sum, job) => sum + job.keptBytes(), 0);
  return kept.length >= MAX_OPEN_REQUESTS || bytes >= MAX_KEPT_BYTES;
}

/** The events that record an end; a person's no counts as a refusal. */
function recordedAs(kind: OutcomeKind): readonly string[] {
  return kind === "refused" ? ["refused", "denied", "expired"] : [kind];
}

/** A job of an earlier daemon has its outcome; the record gets it if it is not there. */
function recover(
  { request, outcome, keptSinceMs, wasInterrupted }: KeptRequest,
  { store, audit, clock, isOnRecord }: OpenJobsOptions,
): Job {
  const { kind, startedAtMs, durationMs } = outcome;
  const endedAtMs = startedAtMs === null ? keptSinceMs : startedAtMs + durationMs;
  const by = { by: "daemon-restart" };
  if (wasInterrupted) audit.record(kind, { ...nameOf(request), ...by });
  else if (!recordedAs(kind).some((event) => isOnRecord(event, request, endedAtMs))) {
    audit.record(kind, { ...nameOf(request), ...endOf(outcome), ...by });
  }
  const spool = store.reopen(request.vm, request.id);
  return createJob({ request, sinceMs: clock.spanMs(), spool, outcome, onStop: () => {} });
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The results of a run: its output is stored as it comes; its end is stored and recorded before the VM
 * is told.
 *
 * @module
 */

import type { Clock } from "../../shared/io/clock.ts";
import { errorText } from "../../shared/cli/program.ts";
import type { StreamNumber } from "../../shared/protocol/message.ts";
import { EXIT_OF_KIND, type Outcome } from "../../shared/protocol/outcome.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import { type Job, nameOf } from "../judge/job.ts";
import type { AuditFields } from "../record/audit_chain.ts";
import { type Audit, recordQuietly } from "../record/audit_log.ts";
import type { OutcomeStore } from "../record/outcome_store.ts";
import type { Ended, StopReason } from "./runner.ts";

/** As a date for people, and as a moment to measure from. */
export interface Start {
  readonly atMs: number;
  readonly spanMs: number;
}

export interface Concluding {
  /** @returns false if the spool's disk is full: what it prints can no longer be kept */
  keep(job: Job, stream: StreamNumber, bytes: Uint8Array): boolean;
  /** @param limit the one that ended it, as it was in force */
  conclude(job: Job, ended: Ended, start: Start | null, limit?: number | null): void;
  /** How it ended is not known. */
  concludeFailed(job: Job, error: unknown): void;
  /** It did not start. */
  endUnstarted(job: Job, reason: StopReason): void;
}

export interface ConcludingOptions {
  readonly audit: Audit;
  readonly store: OutcomeStore;
  readonly clock: Clock;
  readonly onChange: () => void;
}

export function createConcluding({ audit, store, clock, onChange }: ConcludingOptions): Concluding {
  const conclude: Concluding["conclude"] = (job, ended, start, limit = null) => {
    const { kind, exitCode, left = null, stdinBytes } = ended;
    const { vm, id, nonce } = job.request;
    const durationMs = start === null ? 0 : Math.round(clock.spanMs() - start.spanMs);
    const startedAtMs = start?.atMs ?? null;
    const outcome = job.finish((spool) => ({
      id,
      nonce,
      kind,
      reason: null,
      exitCode,
      startedAtMs,
      durationMs,
      out: spool.summary(1),
      err: spool.summary(2),
      limit,
      left,
    }));
    keepOutcome(store, audit, vm, outcome);
    const read = stdinBytes === undefined ? {} : { stdin_bytes: stdinBytes };
    recordQuietly(audit, kind, { vm, id, ...endOf(outcome), ...read });
    job.pump();
    onChange();
  };
  return {
    keep(job, stream, bytes) {
      try {
        job.append(stream, bytes);
        return true;
      } catch (error) {
        recordQuietly(audit, "spool-failed", { ...nameOf(job.request), error: errorText(error) });
        return false;
      }
    },
    conclude,
    concludeFailed(job, error) {
      recordQuietly(audit, "failed", { ...nameOf(job.request), error: errorText(error) });
      conclude(job, { kind: "interrupted", exitCode: EXIT_OF_KIND.interrupted }, null);
    },
    endUnstarted: (job, reason) =>
      conclude(job, { kind: reason, exitCode: EXIT_OF_KIND[reason] }, null),
  };
}

/** A full disk must not keep an outcome from the VM that waits for it. */
export function keepOutcome(
  store: OutcomeStore,
  audit: Audit,
  vm: VmName,
  outcome: Outcome,
): void {
  try {
    store.finish(vm, outcome);
  } catch (error) {
    recordQuietly(audit, "outcome-not-kept", { vm, id: outcome.id, error: errorText(error) });
  }
}

/** What the audit says of an end. */
export function endOf({ exitCode, durationMs, out, err, limit, left }: Outcome): AuditFields {
  return {
    ...(limit === null || limit === undefined ? {} : { limit }),
    ...(left === null || left === undefined ? {} : { left }),
    exit: exitCode,
    duration_ms: durationMs,
    out_bytes: out.bytes,
    err_bytes: err.bytes,
    out_sha256: out.sha256,
    err_sha256: err.sha256,
  };
}

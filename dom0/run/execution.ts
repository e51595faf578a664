// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * From an accepted request to its outcome: its turn, its run, its end. What a command printed
 * and how it ended is kept and audited before the VM is told.
 *
 * @module
 */

import type { Clock } from "../../shared/io/clock.ts";
import { errorText } from "../../shared/io/program.ts";
import { utf8 } from "../../shared/protocol/bytes.ts";
import type { StreamNumber } from "../../shared/protocol/message.ts";
import { EXIT_OF_KIND, type Outcome } from "../../shared/protocol/outcome.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import type { AuditFields } from "../record/audit_chain.ts";
import { type Audit, recordQuietly } from "../record/audit_log.ts";
import type { Config } from "../settings/config.ts";
import { type Job, nameOf } from "../judge/job.ts";
import { limitInForce } from "./limit_in_force.ts";
import type { OutcomeStore, Spool } from "../record/outcome_store.ts";
import type { KeptCommand } from "./kept_command.ts";
import type { Groups } from "./process_group.ts";
import type { RunTerms } from "./run_terms.ts";
import {
  type Ended,
  type Limits,
  type RunningCommand,
  startCommand,
  type StopReason,
} from "./runner.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Wardens } from "./wardens.ts";

/** As a shell says it. */
const EXIT_NOT_RUNNABLE = 126;
/** The operation was done, and what dom0 has to do with it was not. */
const EXIT_AFTERWARDS_FAILED = 1;
const NO_OUTPUT = { out: new Uint8Array(0), err: new Uint8Array(0) };
const OUTPUT_LOST: Ended = { kind: "output-limit", exitCode: EXIT_OF_KIND["output-limit"] };

export interface ExecutionOptions {
  readonly config: () => Config;
  readonly audit: Audit;
  readonly store: OutcomeStore;
  readonly scheduler: Scheduler;
  readonly groups: Groups;
  readonly wardens: Wardens;
  readonly workFolder: string;
  readonly markPrefix: string;
  readonly clock: Clock;
  /** Something that "status" shows has changed. */
  readonly onChange: () => void;
}

/** As a date for people, and as a moment to measure from. */
interface Start {
  readonly atMs: number;
  readonly spanMs: number;
}

export interface StopControl {
  stop(reason: StopReason): void;
}

export interface Execution {
  /** Runs the command when it is its VM's turn. */
  schedule(job: Job, kept: KeptCommand, terms: RunTerms): StopControl;
  /** Ends a job whose command did not start. */
  endUnstarted(job: Job, kept: KeptCommand, reason: StopReason): void;
  /** Resolves when no command runs. */
  idle(): Promise<void>;
}

export function createExecution(options: ExecutionOptions): Execution {
  const { audit, store, scheduler, clock, onChange } = options;
  const active = new Set<Promise<void>>();
  let marks = 0;

  const schedule: Execution["schedule"] = (job, kept, terms) => {
    const { vm } = job.request;
    const { promise, resolve } = Promise.withResolvers<void>();
    active.add(promise);
    const settled = (): void => {
      active.delete(promise);
      resolve();
    };
    let running: RunningCommand | null = null;
    const waiting = scheduler.enqueue(vm, () => {
      running = runNow(job, kept, terms, () => {
        scheduler.finished(vm);
        settled();
      });
    });
    return {
      stop(reason) {
        if (running !== null) return running.stop(reason);
        if (!waiting.withdraw()) return;
        endUnstarted(job, kept, reason);
        settled();
      },
    };
  };

  const runNow = (
    job: Job,
    kept: KeptCommand,
    terms: RunTerms,
    onEnd: () => void,
  ): RunningCommand | null => {
    const { request } = job;
    const { maxTimeoutMs, maxMemoryBytes, path, ...configured } = options.config();
    const limits: Limits = {
      ...configured,
      timeoutMs: Math.min(kept.timeoutMs, maxTimeoutMs, terms.maxTimeoutMs),
      maxMemoryBytes: Math.min(maxMemoryBytes, terms.maxMemoryBytes),
    };
    let isSpoolFull = false;
    const start: Start = { atMs: clock.dateMs(), spanMs: clock.spanMs() };
    try {
      const running = startCommand({
        command: kept.take(),
        mark: `${options.markPrefix}${++marks}`,
        environment: { QVM_REMOTE_VM: request.vm, QVM_REMOTE_ID: request.id },
        path,
        limits,
        workFolder: options.workFolder,
        groups: options.groups,
        wardens: options.wardens,
        onOutput: (stream, bytes) => {
          if (terms.output !== null) return terms.output.push(stream, bytes);
          if (keep(job, stream, bytes)) return;
          isSpoolFull = true;
          running.stop("output-limit");
        },
      });
      running.ended.then((ended) => fulfil(job, terms, ended)).then(
        (ended) => {
          const isLost = isSpoolFull || ended === OUTPUT_LOST;
          conclude(job, ended, start, isLost ? null : limitInForce(ended.kind, limits));
        },
        (error) => concludeFailed(job, error),
      ).finally(onEnd);
      return running;
    } catch (error) { // a word too long for the kernel, no process to be had
      job.append(2, utf8(`qvm-remote-dom0: cannot be started: ${errorText(error)}\n`));
      conclude(job, { kind: "done", exitCode: EXIT_NOT_RUNNABLE }, start);
      queueMicrotask(onEnd);
      return null;
    }
  };

  /** @returns false if the spool's disk is full: what it prints can no longer be kept */
  const keep = (job: Job, stream: StreamNumber, bytes: Uint8Array): boolean => {
    try {
      job.append(stream, bytes);
      return true;
    } catch (error) {
      recordQuietly(audit, "spool-failed", { ...nameOf(job.request), error: errorText(error) });
      return false;
    }
  };

  /** What the terms say of a command that has ended. */
  const fulfil = async (job: Job, terms: RunTerms, ended: Ended): Promise<Ended> => {
    const { out, err } = terms.output?.end() ?? NO_OUTPUT;
    if (!keep(job, 1, out) || !keep(job, 2, err)) return OUTPUT_LOST;
    if (ended.kind !== "done" || ended.exitCode !== 0) return ended;
    const wrong = await terms.afterwards();
    if (wrong === null) return ended;
    keep(job, 2, utf8(`qvm-remote-dom0: ${wrong}\n`));
    return { kind: "done", exitCode: EXIT_AFTERWARDS_FAILED };
  };

  const concludeFailed = (job: Job, error: unknown): void => {
    recordQuietly(audit, "failed", { ...nameOf(job.request), error: errorText(error) });
    conclude(job, { kind: "interrupted", exitCode: EXIT_OF_KIND.interrupted }, null);
  };

  const conclude = (
    job: Job,
    { kind, exitCode }: Ended,
    start: Start | null,
    limit: number | null = null,
  ): void => {
    const { vm, id, nonce } = job.request;
    const durationMs = start === null ? 0 : Math.round(clock.spanMs() - start.spanMs);
    const startedAtMs = start?.atMs ?? null;
    const outcome = job.finish((spool: Spool) => ({
      ...{ id, nonce, kind, reason: null, exitCode, startedAtMs, durationMs },
      ...{ out: spool.summary(1), err: spool.summary(2), limit },
    }));
    keepOutcome(store, audit, vm, outcome);
    recordQuietly(audit, kind, { vm, id, ...endOf(outcome) });
    job.pump();
    onChange();
  };

  const endUnstarted: Execution["endUnstarted"] = (job, kept, reason) => {
    kept.drop();
    conclude(job, { kind: reason, exitCode: EXIT_OF_KIND[reason] }, null);
  };

  return {
    schedule,
    endUnstarted,
    async idle() {
      while (active.size > 0) await Promise.all(active);
    },
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
export function endOf({ exitCode, durationMs, out, err, limit }: Outcome): AuditFields {
  return {
    ...(limit === null || limit === undefined ? {} : { limit }),
    ...{ exit: exitCode, duration_ms: durationMs, out_bytes: out.bytes, err_bytes: err.bytes },
    ...{ out_sha256: out.sha256, err_sha256: err.sha256 },
  };
}

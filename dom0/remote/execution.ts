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
import { EXIT_OF_KIND, type Outcome } from "../../shared/protocol/outcome.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import type { AuditFields } from "./audit_chain.ts";
import { type Audit, recordQuietly } from "./audit_log.ts";
import type { Config } from "./config.ts";
import { type Job, nameOf } from "./job.ts";
import type { OutcomeStore, Spool } from "./outcome_store.ts";
import type { ParkedCommand } from "./parked_command.ts";
import type { Groups } from "./process_group.ts";
import { type Ended, type RunningCommand, startCommand, type StopReason } from "./runner.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Wardens } from "./wardens.ts";

/** As a shell says it. */
const EXIT_NOT_RUNNABLE = 126;

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
  schedule(job: Job, parked: ParkedCommand): StopControl;
  /** Ends a job whose command did not start. */
  endUnstarted(job: Job, parked: ParkedCommand, reason: StopReason): void;
  /** Resolves when no command runs. */
  idle(): Promise<void>;
}

export function createExecution(options: ExecutionOptions): Execution {
  const { audit, store, scheduler, clock, onChange } = options;
  const active = new Set<Promise<void>>();
  let marks = 0;

  const schedule = (job: Job, parked: ParkedCommand): StopControl => {
    const { vm } = job.request;
    const { promise, resolve } = Promise.withResolvers<void>();
    active.add(promise);
    const settled = (): void => {
      active.delete(promise);
      resolve();
    };
    let running: RunningCommand | null = null;
    const waiting = scheduler.enqueue(vm, () => {
      running = runNow(job, parked, () => {
        scheduler.finished(vm);
        settled();
      });
    });
    return {
      stop(reason) {
        if (running !== null) return running.stop(reason);
        if (!waiting.withdraw()) return;
        endUnstarted(job, parked, reason);
        settled();
      },
    };
  };

  const runNow = (job: Job, parked: ParkedCommand, onEnd: () => void): RunningCommand | null => {
    const { request } = job;
    const { maxTimeoutMs, path, ...limits } = options.config();
    const start: Start = { atMs: clock.dateMs(), spanMs: clock.spanMs() };
    try {
      const running = startCommand({
        command: parked.take(),
        mark: `${options.markPrefix}${++marks}`,
        environment: { QVM_REMOTE_VM: request.vm, QVM_REMOTE_ID: request.id },
        path,
        limits: { ...limits, timeoutMs: Math.min(parked.timeoutMs, maxTimeoutMs) },
        workFolder: options.workFolder,
        groups: options.groups,
        wardens: options.wardens,
        onOutput: (stream, bytes) => {
          try {
            job.append(stream, bytes);
          } catch (error) { // the spool's disk is full: what it prints can no longer be kept
            recordQuietly(audit, "spool-failed", { ...nameOf(request), error: errorText(error) });
            running.stop("output-limit");
          }
        },
      });
      running.ended.then(
        (ended) => conclude(job, ended, start),
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

  const concludeFailed = (job: Job, error: unknown): void => {
    recordQuietly(audit, "failed", { ...nameOf(job.request), error: errorText(error) });
    conclude(job, { kind: "interrupted", exitCode: EXIT_OF_KIND.interrupted }, null);
  };

  const conclude = (job: Job, { kind, exitCode }: Ended, start: Start | null): void => {
    const { vm, id, nonce } = job.request;
    const durationMs = start === null ? 0 : Math.round(clock.spanMs() - start.spanMs);
    const startedAtMs = start?.atMs ?? null;
    const outcome = job.finish((spool: Spool) => ({
      ...{ id, nonce, kind, reason: null, exitCode, startedAtMs, durationMs },
      ...{ out: spool.summary(1), err: spool.summary(2) },
    }));
    keepOutcome(store, audit, vm, outcome);
    recordQuietly(audit, kind, { vm, id, ...endOf(outcome) });
    job.pump();
    onChange();
  };

  const endUnstarted: Execution["endUnstarted"] = (job, parked, reason) => {
    parked.drop();
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
export function endOf({ exitCode, durationMs, out, err }: Outcome): AuditFields {
  return {
    ...{ exit: exitCode, duration_ms: durationMs, out_bytes: out.bytes, err_bytes: err.bytes },
    ...{ out_sha256: out.sha256, err_sha256: err.sha256 },
  };
}

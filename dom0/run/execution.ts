// SPDX-License-Identifier: GPL-2.0-or-later
/** From an accepted request to its outcome: its turn, its run, its end. @module */

import { utf8 } from "../../shared/protocol/bytes.ts";
import { EXIT_OF_KIND } from "../../shared/protocol/outcome.ts";
import type { Job } from "../judge/job.ts";
import type { ShownOutput } from "../operations/filtered_output.ts";
import type { Config } from "../settings/config.ts";
import { type Concluding, type ConcludingOptions, type Start } from "./concluding.ts";
import type { KeptWork } from "./kept_work.ts";
import { limitInForce } from "./limit_in_force.ts";
import type { Groups } from "./process_group.ts";
import type { RunTerms } from "./run_terms.ts";
import type { Ended, Limits, RunningCommand, StopReason } from "./runner.ts";
import type { Scheduler } from "./scheduler.ts";
import { startSequence } from "./sequence.ts";
import { NAME } from "./warden.ts";
import type { Wardens } from "./wardens.ts";

/** The operation succeeded, but what dom0 had to do after it failed. */
const EXIT_AFTERWARDS_FAILED = 1;
const NO_OUTPUT: ShownOutput = {
  out: new Uint8Array(0),
  err: new Uint8Array(0),
  isUnreadable: false,
};
const OUTPUT_LOST: Ended = { kind: "output-limit", exitCode: EXIT_OF_KIND["output-limit"] };

export interface ExecutionOptions extends ConcludingOptions {
  readonly config: () => Config;
  readonly scheduler: Scheduler;
  readonly groups: Groups;
  readonly wardens: Wardens;
  readonly workFolder: string;
  readonly markPrefix: string;
}

export interface StopControl {
  stop(reason: StopReason): void;
}

export interface Execution {
  /** Runs the work when it is its VM's turn. */
  schedule(job: Job, work: KeptWork, terms: RunTerms): StopControl;
  /** Ends a job whose work did not start. */
  endUnstarted(job: Job, work: KeptWork, reason: StopReason): void;
  /** Resolves when nothing runs. */
  idle(): Promise<void>;
}

export function createExecution(options: ExecutionOptions, concluding: Concluding): Execution {
  const { scheduler } = options;
  const active = new Set<Promise<void>>();
  let marks = 0;
  const newMark = (): string => `${options.markPrefix}${++marks}`;
  const endUnstarted: Execution["endUnstarted"] = (job, work, reason) => {
    work.drop();
    concluding.endUnstarted(job, reason);
  };
  return {
    endUnstarted,
    schedule(job, work, terms) {
      const { vm } = job.request;
      const { promise, resolve } = Promise.withResolvers<void>();
      active.add(promise);
      const settled = (): void => {
        active.delete(promise);
        resolve();
      };
      let running: RunningCommand | null = null;
      const waiting = scheduler.enqueue(vm, () => {
        running = runNow({ job, work, terms, newMark }, concluding, options, () => {
          scheduler.finished(vm);
          settled();
        });
      });
      return {
        stop(reason) {
          if (running !== null) return running.stop(reason);
          if (!waiting.withdraw()) return;
          endUnstarted(job, work, reason);
          settled();
        },
      };
    },
    async idle() {
      while (active.size > 0) await Promise.all(active);
    },
  };
}

interface Run {
  readonly job: Job;
  readonly work: KeptWork;
  readonly terms: RunTerms;
  readonly newMark: () => string;
}

function runNow(
  { job, work, terms, newMark }: Run,
  concluding: Concluding,
  options: ExecutionOptions,
  onEnd: () => void,
): RunningCommand {
  const { clock, workFolder, groups, wardens } = options;
  const { vm, id } = job.request;
  const limits = limitsOf(options.config(), work, terms);
  let isSpoolFull = false;
  const start: Start = { atMs: clock.dateMs(), spanMs: clock.spanMs() };
  const running = startSequence({
    ...work.take(),
    newMark,
    environment: { QVM_REMOTE_VM: vm, QVM_REMOTE_ID: id },
    path: options.config().path,
    ...work.stdin === undefined ? {} : { stdin: work.stdin },
    limits,
    workFolder,
    groups,
    wardens,
    onOutput(stream, bytes) {
      if (terms.output !== null) return terms.output.push(stream, bytes);
      if (concluding.keep(job, stream, bytes)) return;
      isSpoolFull = true;
      running.stop("output-limit");
    },
  });
  running.ended.then((ended) => fulfil(job, terms, ended, concluding)).then(
    (ended) => {
      const isLost = isSpoolFull || ended === OUTPUT_LOST;
      const { stdin } = work;
      const read = typeof stdin === "object" ? { stdinBytes: stdin.passedBytes() } : {};
      const limit = isLost ? null : limitInForce(ended.kind, limits);
      concluding.conclude(job, { ...ended, ...read }, start, limit);
    },
    (error) => concluding.concludeFailed(job, error),
  ).finally(() => {
    work.drop();
    onEnd();
  });
  return running;
}

function limitsOf(config: Config, work: KeptWork, terms: RunTerms): Limits {
  const { maxTimeoutMs, maxMemoryBytes, maxOutputBytes, maxProcesses } = config;
  return {
    timeoutMs: Math.min(work.timeoutMs, maxTimeoutMs, terms.maxTimeoutMs),
    maxMemoryBytes: Math.min(maxMemoryBytes, terms.maxMemoryBytes),
    maxOutputBytes,
    maxProcesses,
  };
}

/** Applies the terms to a command that has ended. */
async function fulfil(
  job: Job,
  terms: RunTerms,
  ended: Ended,
  { keep }: Concluding,
): Promise<Ended> {
  const isDone = ended.kind === "done" && ended.exitCode === 0;
  const { out, err, isUnreadable } = terms.output?.end(isDone) ?? NO_OUTPUT;
  if (!keep(job, 1, out) || !keep(job, 2, err)) return OUTPUT_LOST;
  if (!isDone) return ended;
  const wrong = await terms.afterwards();
  if (wrong === null) {
    return isUnreadable ? { ...ended, exitCode: EXIT_AFTERWARDS_FAILED } : ended;
  }
  keep(job, 2, utf8(`${NAME}: ${wrong}\n`));
  return { ...ended, exitCode: EXIT_AFTERWARDS_FAILED };
}

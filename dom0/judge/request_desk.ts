// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The desk: a request's way from its arrival to its answer. verdict.ts has the checks, in their
 * order; open_jobs.ts the requests that were taken; answers.ts what is said without running
 * anything; execution.ts the run.
 *
 * What passed the checks is in the ledger and in the audit, on disk, before a process is started;
 * both are synced at once, so that a request waits for the disk one time.
 *
 * @module
 */

import { PRIVATE_FOLDER } from "../../shared/io/files.ts";
import { errorText } from "../../shared/io/program.ts";
import type { AuthenticRequest } from "../../shared/protocol/envelope.ts";
import type { RefusalReason } from "../../shared/protocol/refusal.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import type { AuditFields } from "../record/audit_chain.ts";
import type { IsOnRecord } from "../record/audit_log.ts";
import type { Ledger } from "../record/ledger.ts";
import { createExecution, type Execution, type ExecutionOptions } from "../run/execution.ts";
import { keepBody, keepSteps, type KeptWork } from "../run/kept_work.ts";
import { termsOf } from "../run/run_terms.ts";
import { argvStep } from "../run/sequence.ts";
import type { StopReason } from "../run/runner.ts";
import type { StoredKey } from "../settings/key_store.ts";
import { type Answers, createAnswers, type Received } from "./answers.ts";
import { type Job, nameOf, type Seat } from "./job.ts";
import { createOpenJobs, type OpenJobs } from "./open_jobs.ts";
import { createRateGate, type RateGate } from "./rate_gate.ts";
import { claimOf, type RequestEvent } from "./request_event.ts";
import { createStopSwitch, type StopSwitch } from "./stop_switch.ts";
import { createTurns } from "./turns.ts";
import {
  type Authority,
  type Checks,
  type JudgedCommand,
  judgeRequest,
  type Ruling,
} from "./verdict.ts";

export interface DeskOptions extends ExecutionOptions, Authority {
  /** For outcomes of an earlier daemon: false if it was killed before it could record this one. */
  readonly isOnRecord: IsOnRecord;
  readonly ledger: Ledger;
}

export interface RequestDesk {
  /** Judges a request, and sees to it that it is answered. The answer goes to the seat. */
  receive(vm: VmName, key: StoredKey, event: RequestEvent, seat: Seat): Promise<Received>;
  /** The VM has the outcome. */
  acknowledged(job: Job): void;
  /** Ends what this VM has running, or everything. What comes later is none of its business. */
  stop(reason: StopReason, vm?: VmName): Stopping;
  jobs(): readonly Job[];
  /** Resolves when no command runs. */
  idle(): Promise<void>;
  /** What is wrong with VMs that ask, for "status". */
  problems(): readonly string[];
  forgetOld(): void;
}

export interface Stopping {
  /** No command of these runs any more. */
  readonly ended: Promise<unknown>;
  /** Every one of these VMs that is in a session has acknowledged the outcomes. */
  readonly told: Promise<unknown>;
}

/** A request that is dom0's to answer. */
interface Taken {
  readonly job: Job;
  /** Its entry in the ledger is on the disk. */
  readonly written: Promise<void>;
  readonly stops: StopSwitch;
}

/** What a request's way leads past. */
interface Stations {
  readonly options: DeskOptions;
  readonly jobs: OpenJobs;
  readonly answers: Answers;
  readonly execution: Execution;
}

export function createRequestDesk(options: DeskOptions): RequestDesk {
  const jobs = createOpenJobs(options);
  const answers = createAnswers({ ...options, jobs });
  const stations: Stations = { options, jobs, answers, execution: createExecution(options) };
  const rates = createRateGate(options);
  const checks = checksOf(options, jobs, rates);
  return {
    receive: (vm, stored, event, seat) => receive({ vm, stored, event }, seat, checks, stations),
    acknowledged: jobs.acknowledged,
    jobs: jobs.all,
    stop(reason, vm) {
      const stopped = jobs.all().filter(({ request }) => vm === undefined || request.vm === vm);
      for (const job of stopped) job.stop(reason);
      return {
        ended: Promise.all(stopped.map((job) => job.ended())),
        told: Promise.all(stopped.map((job) => job.told())),
      };
    },
    idle: stations.execution.idle,
    problems: rates.problems,
    forgetOld: jobs.forgetOld,
  };
}

function checksOf(options: DeskOptions, jobs: OpenJobs, rates: RateGate): Checks<Taken> {
  const { ledger, clock } = options;
  return {
    judge: options.judge,
    closedBecause: options.closedBecause,
    inTurn: createTurns(),
    isHeld: ({ vm, id }) => jobs.find(vm, id) !== undefined,
    ledger,
    dateMs: clock.dateMs,
    rates,
    hasRoom: (vm) => jobs.makeRoom(vm) && !ledger.isFull(vm),
    take(request) {
      const stops = createStopSwitch();
      const job = jobs.open(request, stops.stop);
      void job.ended().then(() => rates.ended(request.vm, job.outcome()?.kind ?? "done"));
      const written = ledger.add(request);
      written.catch(() => {}); // it is looked at later, unless something else fails first
      return { job, written, stops };
    },
  };
}

interface Sender {
  readonly vm: VmName;
  readonly stored: StoredKey;
  readonly event: RequestEvent;
}

async function receive(
  sender: Sender,
  seat: Seat,
  checks: Checks<Taken>,
  stations: Stations,
): Promise<Received> {
  const { answers, options } = stations;
  const verdict = await judgeRequest({ ...sender, isOpen: seat.isOpen }, checks);
  switch (verdict.kind) {
    case "refused": {
      const { reason, told } = verdict;
      if (reason === "clock") options.onChange(); // "status" says until when
      checks.rates.ended(sender.vm, "refused");
      return answers.refuse({ vm: sender.vm, ...claimOf(sender.event) }, reason, seat, told);
    }
    case "session-over":
      return { observed: true };
    case "held":
      return answers.join(verdict.request, seat);
    case "owed":
      return answers.answerLost(verdict.request, seat);
    case "taken":
      return await carryOut(verdict.request, verdict.taken, verdict.ruling, seat, stations);
    default:
      return verdict satisfies never;
  }
}

/** The way of a taken request: what may run is put on record, and runs when it is its VM's turn. */
async function carryOut(
  request: AuthenticRequest,
  taken: Taken,
  ruling: Ruling,
  seat: Seat,
  stations: Stations,
): Promise<Received> {
  const { job, stops, written } = taken;
  const { answers, execution, options } = stations;
  let work: KeptWork;
  try {
    if (ruling.next !== "run") {
      await written;
      return answers.endRefused(job, refusalOf(ruling), seat, ruling.told);
    }
    work = await putOnRecord(request, { ...ruling, written }, options);
  } catch (error) {
    return answers.endRefused(job, "not-recorded", seat, { error: errorText(error) });
  }
  // While the ledger was written, a new session may have brought the request again.
  const received = answers.sit(job, seat);
  stops.leadTo((reason) => execution.endUnstarted(job, work, reason));
  if (job.outcome() !== null) return received;
  stops.leadTo(execution.schedule(job, work, termsOf(ruling.judged.judgement)).stop);
  options.onChange();
  return received;
}

function refusalOf(ruling: Exclude<Ruling, { readonly next: "run" }>): RefusalReason {
  switch (ruling.next) {
    case "refuse":
      return ruling.reason;
    case "deny":
      return "policy-denied";
    case "ask":
      return "needs-confirmation";
    default:
      return ruling satisfies never;
  }
}

interface Admitted {
  readonly judged: JudgedCommand;
  readonly told: AuditFields;
  readonly written: Promise<void>;
}

/** When it resolves, a power cut can no longer hide that the command may have run. */
async function putOnRecord(
  request: AuthenticRequest,
  { judged, told, written }: Admitted,
  { audit, workFolder }: DeskOptions,
): Promise<KeptWork> {
  const work = keepWork(workFolder, request, judged);
  try {
    audit.record("accepted", { ...nameOf(request), protocol: request.protocol, ...told });
    await Promise.all([written, audit.sync()]);
    return work;
  } catch (error) {
    work.drop();
    throw error;
  }
}

/** An operation is run without a shell, by the words of the table, however it came. */
function keepWork(
  workFolder: string,
  request: AuthenticRequest,
  { command, judgement: { recognised } }: JudgedCommand,
): KeptWork {
  if (recognised !== null) return keepSteps(request, recognised.argvs.map(argvStep));
  // In /run: systemd takes it away when a unit ends, even if this daemon is another's child.
  Deno.mkdirSync(workFolder, { recursive: true, mode: PRIVATE_FOLDER });
  return keepBody(workFolder, request, command);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The desk, where requests come in: verdict.ts has the checks, in their order; carry_out.ts what
 * becomes of a request that was taken; open_jobs.ts all of those; answers.ts what is said without
 * running anything.
 *
 * @module
 */

import type { VmName } from "../../shared/protocol/vm_name.ts";
import type { Parking } from "../approval/parking.ts";
import type { IsOnRecord } from "../record/audit_log.ts";
import type { Ledger } from "../record/ledger.ts";
import { createConcluding } from "../run/concluding.ts";
import { createExecution, type ExecutionOptions } from "../run/execution.ts";
import type { StopReason } from "../run/runner.ts";
import type { StoredKey } from "../settings/key_store.ts";
import type { PlanBoard } from "../plans/plan_board.ts";
import type { PayloadStore } from "../payload/payload_store.ts";
import type { Undoing } from "../undo/undoing.ts";
import type { Admission } from "./admission.ts";
import { createAnswers, type Received } from "./answers.ts";
import { carryOut } from "./carry_out.ts";
import type { Informing } from "./informing.ts";
import type { Job, Seat } from "./job.ts";
import { createOpenJobs, type OpenJobs } from "./open_jobs.ts";
import { createRateGate, type RateGate, type RateGateOptions } from "./rate_gate.ts";
import { claimOf, type RequestEvent } from "./request_event.ts";
import { createStopSwitch } from "./stop_switch.ts";
import type { Taken, Way } from "./taken_request.ts";
import { createTurns } from "./turns.ts";
import { type Authority, type Checks, judgeRequest } from "./verdict.ts";

export interface DeskOptions extends ExecutionOptions, Authority {
  /** For outcomes of an earlier daemon: false if it was killed before it could record this one. */
  readonly isOnRecord: IsOnRecord;
  readonly ledger: Ledger;
  readonly informing: Informing;
  readonly undoing: Undoing;
  readonly plans: PlanBoard;
  readonly payloads: PayloadStore;
  /** null: nobody can be asked. */
  readonly parking: Parking | null;
  readonly admission: Pick<Admission, "closed">;
  readonly tellRun: Way["tellRun"];
  readonly tellBackedOff: RateGateOptions["tellBackedOff"];
}

export interface RequestDesk {
  /** Judges a request, and sees to it that it is answered. The answer goes to the seat. */
  receive(vm: VmName, key: StoredKey, event: RequestEvent, seat: Seat): Promise<Received>;
  /** The VM has the outcome. */
  acknowledged(job: Job): void;
  /** Ends what this VM has running now, or everything. It does not affect later requests. */
  stop(reason: StopReason, vm?: VmName): Stopping;
  jobs(): readonly Job[];
  /** Resolves when no command runs. */
  idle(): Promise<void>;
  /** What is wrong with VMs that ask, for "status". */
  problems(): readonly string[];
  forgetOld(): void;
}

export interface Stopping {
  /** None of their commands runs any more. */
  readonly ended: Promise<unknown>;
  /** Every one of these VMs that is in a session has acknowledged the outcomes. */
  readonly told: Promise<unknown>;
}

export function createRequestDesk(options: DeskOptions): RequestDesk {
  const jobs = createOpenJobs(options);
  const answers = createAnswers({ ...options, jobs });
  const concluding = createConcluding(options);
  const execution = createExecution(options, concluding);
  const way: Way = { ...options, answers, concluding, execution };
  const rates = createRateGate(options);
  const checks = checksOf(options, jobs, rates);
  return {
    receive: (vm, stored, event, seat) => receive({ vm, stored, event }, seat, checks, way),
    acknowledged: jobs.acknowledged,
    jobs: jobs.all,
    stop(reason, vm) {
      const stopped = jobs.all().filter(({ request }) => vm === undefined || request.vm === vm);
      if (reason !== "cancelled") options.parking?.grants.end(vm);
      for (const job of stopped) job.stop(reason);
      return {
        ended: Promise.all(stopped.map((job) => job.ended())),
        told: Promise.all(stopped.map((job) => job.told())),
      };
    },
    idle: execution.idle,
    problems: rates.problems,
    forgetOld() {
      jobs.forgetOld();
      options.undoing.forgetOld();
      options.payloads.forgetOld();
    },
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
    closed: options.admission.closed,
    hasRoom: (vm) => jobs.makeRoom(vm) && !ledger.isFull(vm),
    take(request, stored) {
      const stops = createStopSwitch();
      const job = jobs.open(request, stops.stop);
      const { vm } = request; // what waits for the end must not hold on to the body
      void job.ended().then(() => rates.ended(vm, job.outcome()?.kind ?? "done"));
      const written = ledger.add(request);
      written.catch(() => {}); // it is looked at later, unless something else fails first
      return { stored, job, written, stops };
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
  way: Way,
): Promise<Received> {
  const { answers } = way;
  const verdict = await judgeRequest({ ...sender, isOpen: seat.isOpen }, checks);
  switch (verdict.kind) {
    case "refused": {
      const { reason, told } = verdict;
      if (reason === "clock") way.onChange(); // "status" says until when
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
      return await carryOut({ ...verdict, ...verdict.taken, seat }, way);
    default:
      return verdict satisfies never;
  }
}

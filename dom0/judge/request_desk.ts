// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Where a request is judged, run and answered. The order of the checks is the security of the
 * daemon; each has its reason from the closed list:
 *
 *     MAC -> VM name -> taken before? -> date -> ledger -> body -> lockdown -> policy -> run
 *
 * From "taken before?" to the ledger entry nothing waits, so two copies of a request cannot
 * both pass. What passed is in the ledger and in the audit, on disk, before a process is started;
 * both are synced at once, so that a request waits for the disk one time.
 *
 * @module
 */

import { PRIVATE_FOLDER } from "../../shared/io/files.ts";
import { errorText } from "../../shared/io/program.ts";
import type { AuthenticRequest } from "../../shared/protocol/envelope.ts";
import { checkFreshness } from "../../shared/protocol/freshness.ts";
import { MAX_OPEN_REQUESTS } from "../../shared/protocol/limits.ts";
import type { Command } from "../../shared/protocol/command.ts";
import { EMPTY_STREAM, refusedOutcome } from "../../shared/protocol/outcome.ts";
import type { RefusalReason } from "../../shared/protocol/refusal.ts";
import type { RequestId } from "../../shared/protocol/request_id.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import type { AuditFields } from "../record/audit_chain.ts";
import { type IsOnRecord, recordQuietly } from "../record/audit_log.ts";
import {
  createExecution,
  endOf,
  type ExecutionOptions,
  keepOutcome,
  type StopControl,
} from "../run/execution.ts";
import { createJob, type Job, nameOf, type Seat } from "./job.ts";
import type { Recognised } from "../operations/recognise.ts";
import { SHELL } from "../operations/table.ts";
import type { Judge, Judgement } from "../policy/judge.ts";
import type { StoredKey } from "../settings/key_store.ts";
import type { Ledger } from "../record/ledger.ts";
import { interruptedOutcome } from "../record/outcome_store.ts";
import { parkCommand, type ParkedCommand } from "../run/parked_command.ts";
import {
  authenticateEvent,
  claimOf,
  commandOrNull,
  described,
  type RequestEvent,
} from "./request_event.ts";
import { termsOf } from "../run/run_terms.ts";
import type { StopReason } from "../run/runner.ts";

/** An outcome that nobody fetched is kept this long. */
const KEEP_OUTCOME_MS = 24 * 3600 * 1000;
/** A VM may break its sessions as it likes; the record has the first few. */
const RECORDED_SEATINGS = 8;
/** Of output that a VM has not acknowledged: beyond this it gets nothing new to run. */
const MAX_KEPT_BYTES = 256 * 1024 * 1024;

export interface DeskOptions extends ExecutionOptions {
  readonly judge: Judge;
  /** Why nothing of this VM may run now, whatever the policy; null in normal operation. */
  readonly closedBecause: (vm: VmName, key: StoredKey) => RefusalReason | null;
  /** For outcomes of an earlier daemon: false if it was killed before it could record this one. */
  readonly isOnRecord: IsOnRecord;
  readonly ledger: Ledger;
}

export interface RequestDesk {
  /** Judges a request; false if it was refused. The answer goes to the seat. */
  receive(vm: VmName, key: StoredKey, event: RequestEvent, seat: Seat): Promise<Verdict>;
  /** The VM has the outcome. */
  acknowledged(job: Job): void;
  /** Ends what this VM has running, or everything. What comes later is none of its business. */
  stop(reason: StopReason, vm?: VmName): Stopping;
  jobs(): readonly Job[];
  /** Resolves when no command runs. */
  idle(): Promise<void>;
  forgetOld(): void;
}

export interface Stopping {
  /** No command of these runs any more. */
  readonly ended: Promise<unknown>;
  /** Every one of these VMs that is in a session has acknowledged the outcomes. */
  readonly told: Promise<unknown>;
}

interface Admission {
  readonly refused: null;
  /** What runs: of an operation, the words of its table. */
  readonly command: Command;
  readonly judgement: Judgement;
  readonly told: AuditFields;
}

type Ruling = Admission | { readonly refused: RefusalReason; readonly told: AuditFields };

/** "observed": nothing was done, by a desk that only looks, or for a session that is over. */
export type Verdict =
  | { readonly job: Job }
  | { readonly refused: RefusalReason }
  | { readonly observed: true };

export function createRequestDesk(options: DeskOptions): RequestDesk {
  const { audit, ledger, store, clock, onChange } = options;
  const jobs = new Map<VmName, Map<RequestId, Job>>();
  const turns = new Map<VmName, Promise<unknown>>();
  const execution = createExecution(options);

  const jobsOf = (vm: VmName): Map<RequestId, Job> => {
    const known = jobs.get(vm) ?? new Map<RequestId, Job>();
    jobs.set(vm, known);
    return known;
  };
  const forget = (job: Job): void => {
    const { vm, id } = job.request;
    job.close();
    store.forget(vm, id);
    jobsOf(vm).delete(id);
    onChange();
  };

  for (const { request, outcome, keptSinceMs, wasInterrupted } of store.recover()) {
    const spool = store.reopen(request.vm, request.id);
    const onStop = (): void => {};
    const job = createJob({ request, sinceMs: clock.spanMs(), spool, outcome, onStop });
    jobsOf(request.vm).set(request.id, job);
    const { kind, startedAtMs, durationMs } = outcome;
    const endedAtMs = startedAtMs === null ? keptSinceMs : startedAtMs + durationMs;
    const by = { by: "daemon-restart" };
    if (wasInterrupted) audit.record(kind, { ...nameOf(request), ...by });
    else if (!options.isOnRecord(kind, request, endedAtMs)) {
      audit.record(kind, { ...nameOf(request), ...endOf(outcome), ...by });
    }
  }

  const refuse = (
    vm: VmName,
    { id, nonce }: { id: RequestId; nonce: string },
    reason: RefusalReason,
    seat: Seat,
    more: AuditFields = {},
  ): Verdict => {
    if (seat.mayRecordRefusal()) recordQuietly(audit, "refused", { vm, id, reason, ...more });
    seat.outcome(refusedOutcome(id, nonce, reason));
    return { refused: reason };
  };

  const receive: RequestDesk["receive"] = async (vm, stored, event, seat) => {
    const claimed = claimOf(event);
    if (event.kind === "request-v1" && !stored.acceptsV1) {
      return refuse(vm, claimed, "v1-not-accepted", seat);
    }
    const request = await inTurn(vm, authenticateEvent(event, stored.key, vm));
    if (request === null) return refuse(vm, claimed, "bad-mac", seat);
    if (request.vm !== vm) return refuse(vm, claimed, "wrong-vm", seat, { named: request.vm });

    // The VM sends it again in its next session, before anything new.
    if (!seat.isOpen()) return { observed: true };
    const before = jobsOf(vm).get(request.id);
    if (before !== undefined) {
      if (before.request.digest !== request.digest || before.hasSeat()) {
        return refuse(vm, claimed, "replay", seat);
      }
      if (before.seatings() < RECORDED_SEATINGS) recordQuietly(audit, "resumed", nameOf(request));
      before.attach(seat);
      return { job: before };
    }
    if (ledger.owes(request)) return answerLost(request, seat);
    const stale = checkFreshness(request, clock.dateMs()) ?? ledger.objection(request);
    if (stale === "clock") onChange(); // "status" says until when
    if (stale !== null) return refuse(vm, claimed, stale, seat);
    if (isFull(vm) && !forgetUnclaimed(vm)) return refuse(vm, claimed, "overloaded", seat);
    if (ledger.isFull(vm)) return refuse(vm, claimed, "overloaded", seat);
    return await take(request, stored, seat);
  };

  const isFull = (vm: VmName): boolean => {
    const kept = [...jobsOf(vm).values()];
    const bytes = kept.reduce((sum, job) => sum + job.keptBytes(), 0);
    return kept.length >= MAX_OPEN_REQUESTS || bytes >= MAX_KEPT_BYTES;
  };

  /** Requests are judged in the order in which they came, whatever their MACs take. */
  const inTurn = async <T>(vm: VmName, work: Promise<T>): Promise<T> => {
    const before = turns.get(vm);
    const mine = Promise.allSettled([before, work]);
    turns.set(vm, mine);
    await mine;
    if (turns.get(vm) === mine) turns.delete(vm);
    return await work;
  };

  /**
   * A VM sends again what has no answer before it sends what is new. So what is kept for it and
   * was not asked for is answered there, and only its ack was lost: one such makes room.
   */
  const forgetUnclaimed = (vm: VmName): boolean => {
    const job = [...jobsOf(vm).values()].find((kept) => kept.outcome() !== null && !kept.hasSeat());
    if (job === undefined) return false;
    recordQuietly(audit, "outcome-expired", { ...nameOf(job.request), by: "room" });
    forget(job);
    ledger.answered(job.request);
    return true;
  };

  /** Its entry is all that a power cut left: it may have run, and nobody knows how it ended. */
  const answerLost = (request: AuthenticRequest, seat: Seat): Verdict => {
    const { vm, id, nonce } = request;
    let job: Job;
    try {
      job = open(request, () => {});
    } catch { // answered all the same, and again if it comes again
      seat.outcome(interruptedOutcome(id, nonce, { summary: () => EMPTY_STREAM }));
      return { observed: true };
    }
    const outcome = job.finish((spool) => interruptedOutcome(id, nonce, spool));
    keepOutcome(store, audit, vm, outcome);
    recordQuietly(audit, "interrupted", { vm, id, by: "power-cut" });
    return sit(job, seat);
  };

  /** Says on disk that dom0 will answer it. */
  const open = (request: AuthenticRequest, onStop: (reason: StopReason) => void): Job => {
    const { vm, id, nonce, digest, protocol } = request; // the job outlives the body
    const job = createJob({
      request: { vm, id, nonce, digest, protocol },
      sinceMs: clock.spanMs(),
      spool: store.begin(request),
      outcome: null,
      onStop,
    });
    jobsOf(vm).set(id, job);
    return job;
  };

  /** What is wrong with it, or that it may run; and what the audit says of that. */
  const rule = async (request: AuthenticRequest, stored: StoredKey): Promise<Ruling> => {
    const { vm } = request;
    const command = commandOrNull(request);
    if (command === null) return { refused: "bad-body", told: {} };
    const closed = options.closedBecause(vm, stored);
    if (closed !== null) return { refused: closed, told: {} };
    const judgement = await options.judge(vm, command);
    const { decision, recognised } = judgement;
    const closedSince = options.closedBecause(vm, stored); // judging may have taken a while
    if (closedSince !== null) return { refused: closedSince, told: {} };
    const operation = recognised?.operation.name ?? SHELL;
    const told = { ...described(request, command), operation, rule: decision.because };
    if (decision.action === "deny") return { refused: "policy-denied", told };
    if (decision.action === "ask") return { refused: "needs-confirmation", told };
    return { refused: null, command: wordsOf(recognised) ?? command, judgement, told };
  };

  /** From here on the request is dom0's to answer. */
  const take = async (
    request: AuthenticRequest,
    stored: StoredKey,
    seat: Seat,
  ): Promise<Verdict> => {
    let control: StopControl | null = null;
    let stoppedEarly: StopReason | null = null;
    const onStop = (reason: StopReason): void => {
      if (control === null) stoppedEarly ??= reason;
      else control.stop(reason);
    };
    let job: Job;
    try {
      job = open(request, onStop);
    } catch (error) {
      return refuse(request.vm, request, "not-recorded", seat, { error: errorText(error) });
    }
    const written = ledger.add(request);
    written.catch(() => {}); // it is looked at below, unless something else fails first
    let admission: Admission;
    let parked: ParkedCommand;
    try {
      const ruling = await rule(request, stored);
      if (ruling.refused !== null) {
        await written;
        return endRefused(job, ruling.refused, seat, ruling.told);
      }
      admission = ruling;
      parked = await admit(request, ruling, written);
    } catch (error) {
      return endRefused(job, "not-recorded", seat, { error: errorText(error) });
    }
    const verdict = sit(job, seat);
    if (stoppedEarly !== null) {
      execution.endUnstarted(job, parked, stoppedEarly);
      return verdict;
    }
    control = execution.schedule(job, parked, termsOf(admission.judgement));
    onChange();
    return verdict;
  };

  /** While the ledger was written, a new session may have brought the request again: that one has it. */
  const sit = (job: Job, seat: Seat): Verdict => {
    if (job.hasSeat()) return refuse(job.request.vm, job.request, "replay", seat);
    job.attach(seat);
    return { job };
  };

  /** When it resolves, a power cut can no longer hide that the command may have run. */
  const admit = async (
    request: AuthenticRequest,
    { command, told }: Admission,
    written: Promise<void>,
  ): Promise<ParkedCommand> => {
    // In /run: systemd takes it away when a unit ends, even if this daemon is another's child.
    Deno.mkdirSync(options.workFolder, { recursive: true, mode: PRIVATE_FOLDER });
    const parked = parkCommand(options.workFolder, request, command);
    try {
      audit.record("accepted", { ...nameOf(request), protocol: request.protocol, ...told });
      await Promise.all([written, audit.sync()]);
      return parked;
    } catch (error) {
      parked.drop();
      throw error;
    }
  };

  const endRefused = (
    job: Job,
    reason: RefusalReason,
    seat: Seat,
    more: AuditFields = {},
  ): Verdict => {
    const { vm, id, nonce } = job.request;
    const outcome = job.finish(() => refusedOutcome(id, nonce, reason));
    keepOutcome(store, audit, vm, outcome);
    if (seat.mayRecordRefusal()) recordQuietly(audit, "refused", { vm, id, reason, ...more });
    job.pump();
    return sit(job, seat);
  };

  const all = (): Job[] => [...jobs.values()].flatMap((known) => [...known.values()]);
  return {
    receive,
    acknowledged(job) {
      forget(job);
      ledger.answered(job.request);
    },
    jobs: all,
    stop(reason, vm) {
      const stopped = all().filter(({ request }) => vm === undefined || request.vm === vm);
      for (const job of stopped) job.stop(reason);
      return {
        ended: Promise.all(stopped.map((job) => job.ended())),
        told: Promise.all(stopped.map((job) => job.told())),
      };
    },
    idle: () => execution.idle(),
    forgetOld() {
      const oldest = clock.spanMs() - KEEP_OUTCOME_MS;
      for (const job of all()) {
        if (job.outcome() === null || job.sinceMs > oldest || job.hasSeat()) continue;
        recordQuietly(audit, "outcome-expired", nameOf(job.request));
        forget(job);
      }
    },
  };
}

/** An operation is run without a shell, whether it came as words or as a script. */
function wordsOf(recognised: Recognised | null): Command | null {
  const [program, ...args] = recognised?.argvs[0] ?? [];
  return program === undefined ? null : { mode: "argv", argv: [program, ...args] };
}

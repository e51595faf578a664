// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The way of a request that dom0 has taken, from the verdict on:
 *
 *     refused       said, with what is wrong
 *     asks what     told what it may do, or what dom0 would do with it
 *     ask           a grant covers it: it runs. Else it waits for a person, who gets a preview
 *     run           put on record, run when it is its VM's turn, answered
 *
 * It is in the ledger and in the audit, on disk, before a process is started; both are synced at
 * once, so that a request waits for the disk one time.
 *
 * @module
 */

import type { Clock } from "../../shared/io/clock.ts";
import { PRIVATE_FOLDER } from "../../shared/io/private_modes.ts";
import { errorText } from "../../shared/cli/program.ts";
import { utf8 } from "../../shared/protocol/bytes.ts";
import type { AuthenticRequest } from "../../shared/protocol/envelope.ts";
import { MAX_WHY_CHARS } from "../../shared/protocol/limits.ts";
import { printable } from "../../shared/protocol/printable.ts";
import type { Granted } from "../approval/grants.ts";
import type { Parking, Waiting } from "../approval/parking.ts";
import { isKnown } from "../plans/plan.ts";
import type { PlanBoard } from "../plans/plan_board.ts";
import { planSequence } from "../plans/run_plan.ts";
import type { Judge } from "../policy/judge.ts";
import type { AuditFields } from "../record/audit_chain.ts";
import type { Audit } from "../record/audit_log.ts";
import { decisionFields } from "../record/decision_fields.ts";
import type { Concluding } from "../run/concluding.ts";
import type { Execution } from "../run/execution.ts";
import { keepBody, keepSequence, keepSteps, type KeptWork } from "../run/kept_work.ts";
import { termsOf } from "../run/run_terms.ts";
import type { StoredKey } from "../settings/key_store.ts";
import { undoableSteps } from "../undo/undoable_steps.ts";
import type { Undoing } from "../undo/undoing.ts";
import type { Answers, Received } from "./answers.ts";
import type { Informing } from "./informing.ts";
import { type Job, nameOf, type Seat } from "./job.ts";
import type { StopSwitch } from "./stop_switch.ts";
import type { Judged, JudgedCommand, Ruling } from "./verdict.ts";

/** A request that is dom0's to answer. */
export interface Taken {
  readonly stored: StoredKey;
  readonly job: Job;
  /** Its entry in the ledger is on the disk. */
  readonly written: Promise<void>;
  readonly stops: StopSwitch;
}

/** With the ruling on it, and the seat that gets the answer. */
export interface TakenRequest extends Taken {
  readonly request: AuthenticRequest;
  readonly ruling: Ruling;
  readonly seat: Seat;
}

/** What a request needs on its way. */
export interface Way {
  readonly audit: Audit;
  readonly clock: Clock;
  readonly workFolder: string;
  readonly judge: Judge;
  readonly undoing: Undoing;
  readonly plans: PlanBoard;
  readonly answers: Answers;
  readonly execution: Execution;
  readonly concluding: Concluding;
  readonly informing: Informing;
  /** null: there is nobody to ask. */
  readonly parking: Parking | null;
  /** For rules that say notify=yes; null: there is nobody to tell. */
  readonly tellRun: ((what: Granted) => void) | null;
  readonly onChange: () => void;
}

export async function carryOut(taken: TakenRequest, way: Way): Promise<Received> {
  const { job, written, seat, ruling } = taken;
  const { answers, informing } = way;
  try {
    switch (ruling.next) {
      case "refuse":
        await written;
        return answers.endRefused(job, ruling, seat);
      case "deny":
        await written;
        return answers.endRefused(job, { reason: "policy-denied", text: null, ...ruling }, seat);
      case "list":
        return await inform(taken, () => informing.list(job.request.vm), way);
      case "explain": {
        const { judgement } = ruling.judged;
        return await inform(taken, () => informing.explain(job.request.vm, judgement), way);
      }
      case "ask":
        return await ask(taken, ruling, way);
      case "run":
        return await run(taken, { ...ruling, isApproved: false }, way);
      default:
        return ruling satisfies never;
    }
  } catch (error) {
    const told = { error: errorText(error) };
    return answers.endRefused(job, { reason: "not-recorded", text: null, told }, seat);
  }
}

/** The session hears that it was taken; the answer follows when it is known. */
async function inform(
  { job, stops, written, seat, ruling }: TakenRequest,
  answer: () => Promise<string>,
  { audit, clock, answers, concluding }: Way,
): Promise<Received> {
  await written;
  audit.record("informed", { ...nameOf(job.request), ...ruling.told });
  const start = { atMs: clock.dateMs(), spanMs: clock.spanMs() };
  const received = answers.sit(job, seat);
  stops.leadTo((reason) => concluding.endUnstarted(job, reason));
  answer().then((text) => {
    if (job.outcome() !== null) return;
    concluding.keep(job, 1, utf8(text));
    concluding.conclude(job, { kind: "done", exitCode: 0 }, start);
  }).catch((error) => {
    if (job.outcome() === null) concluding.concludeFailed(job, error);
  });
  return received;
}

async function run(
  { request, job, stops, written, seat }: TakenRequest,
  { judged, told, isApproved }: Omit<Admitted, "written">,
  way: Way,
): Promise<Received> {
  const { answers, execution } = way;
  const work = await putOnRecord("accepted", request, { judged, told, written, isApproved }, way);
  // While the ledger was written, a new session may have brought the request again.
  const received = answers.sit(job, seat);
  stops.leadTo((reason) => execution.endUnstarted(job, work, reason));
  if (job.outcome() !== null) return received;
  stops.leadTo(execution.schedule(job, work, termsOf(judged.judgement, request.flags)).stop);
  if (judged.judgement.decision.options.notify === true) {
    way.tellRun?.(grantedBy(request, judged));
  }
  way.onChange();
  return received;
}

async function ask(taken: TakenRequest, ruling: Judged<"ask">, way: Way): Promise<Received> {
  const { request, stored, job, stops, written, seat } = taken;
  const { answers, parking } = way;
  const granted = grantedBy(request, ruling.judged);
  const grant = parking?.grants.find(granted) ?? null;
  if (grant !== null) {
    const told = { ...ruling.told, grant: grant.number, approver: grant.by };
    return await run(taken, { ...ruling, told, isApproved: true }, way);
  }
  if (parking === null || !parking.hasRoom(request.vm)) {
    await written;
    const reason = parking === null ? "needs-confirmation" : "too-many-parked";
    return answers.endRefused(job, { reason, text: null, ...ruling }, seat);
  }
  const work = await putOnRecord("parked", request, { ...ruling, written, isApproved: true }, way);
  const received = answers.sit(job, seat);
  park(job, work, { request, stored, judged: ruling.judged, granted }, { stops, parking }, way);
  return received;
}

type AboutWaiting = Pick<Waiting, "stored" | "judged" | "granted"> & {
  readonly request: AuthenticRequest;
};

/** From here on a person decides. Nothing that is kept refers to the request's body. */
function park(
  job: Job,
  work: KeptWork,
  about: AboutWaiting,
  { stops, parking }: { readonly stops: StopSwitch; readonly parking: Parking },
  { answers, execution, onChange }: Way,
): void {
  const { request } = job;
  const { flags } = about.request;
  stops.leadTo((reason) => {
    parking.leave(request);
    execution.endUnstarted(job, work, reason);
  });
  if (job.outcome() !== null) return;
  job.park();
  parking.park({
    ...about,
    isOver: () => job.outcome() !== null,
    run(judgement) {
      if (job.outcome() !== null) return;
      job.approve();
      stops.leadTo(execution.schedule(job, work, termsOf(judgement, flags)).stop);
      onChange();
    },
    refuse(reason, text) {
      if (job.outcome() !== null) return;
      work.drop();
      answers.close(job, reason, text);
      onChange();
    },
  });
}

interface Admitted {
  readonly judged: JudgedCommand;
  readonly told: AuditFields;
  readonly written: Promise<void>;
  /** A person has approved it, or will have before it runs. */
  readonly isApproved: boolean;
}

/** When it resolves, a power cut can no longer hide that the command may have run. */
async function putOnRecord(
  event: "accepted" | "parked",
  request: AuthenticRequest,
  { told, written, ...admitted }: Admitted,
  way: Way,
): Promise<KeptWork> {
  const { audit } = way;
  const work = keepWork(request, admitted, way);
  try {
    audit.record(event, {
      ...nameOf(request),
      protocol: request.protocol,
      ...request.why === null ? {} : { why: printable(request.why, MAX_WHY_CHARS) },
      ...told,
    });
    await Promise.all([written, audit.sync()]);
    return work;
  } catch (error) {
    work.drop();
    throw error;
  }
}

/** However it was asked for, an operation runs without a shell, by the words of the table. */
function keepWork(
  request: AuthenticRequest,
  { judged: { command, judgement }, isApproved }: Pick<Admitted, "judged" | "isApproved">,
  { workFolder, judge, undoing, plans }: Way,
): KeptWork {
  const { vm, id } = request;
  const { recognised, plan } = judgement;
  if (plan !== null) {
    return keepSequence(
      request,
      planSequence(plan.plan, {
        vm,
        id,
        isApproved,
        judge: (call) => judge(vm, call),
        objection: () => null,
        progress: plans.follow(plan.plan, { vm, id, by: vm }),
        keeper: undoing.keeper,
        afterwards: (judged) => termsOf(judged, new Set()).afterwards(),
        undo: (steps, mayGoOn) => undoing.undo({ vm, id, steps, mayGoOn }),
      }),
    );
  }
  if (recognised !== null) {
    return keepSteps(request, undoableSteps(recognised, { vm, id, step: null }, undoing.keeper));
  }
  if (command.mode === "op" || command.mode === "plan") {
    throw new Error("bug: an operation that was not recognised");
  }
  // In /run, where it may be taken away while this daemon runs.
  Deno.mkdirSync(workFolder, { recursive: true, mode: PRIVATE_FOLDER });
  return keepBody(workFolder, request, command);
}

/** What a grant is about: of a plan, the same operations in the same order. */
function grantedBy({ vm }: AuthenticRequest, { command, judgement }: JudgedCommand): Granted {
  const { operation, targets, ran_sha256 } = decisionFields(judgement, command);
  const steps = judgement.plan?.plan.steps ?? [];
  const like = steps.map((step) => step.operation.name).join(",");
  // A plan with values that are known only when it runs is like no other.
  const same = steps.every(isKnown) ? "" : ` ${ran_sha256}`;
  const what = judgement.plan === null ? operation : `${operation}(${like})${same}`;
  return { vm, operation: what, targets, ran: ran_sha256 };
}

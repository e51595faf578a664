// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The way of a request that dom0 has taken, from the verdict on:
 *
 *     refused       said, with what is wrong
 *     asks what     told what it may do, or what dom0 would do with it
 *     ask           a grant covers it: it runs. Else it waits for a person, who gets a preview
 *     run           put on record, run when it is its VM's turn, answered
 *
 * If it brings a payload, all of that comes first, and is checked: what a person is shown, and what
 * runs, has it. Then the policy is asked again. A live stream comes when it runs.
 *
 * It is in the ledger and in the audit, on disk, before a process is started; both are synced at
 * once, so that a request waits for the disk one time.
 *
 * @module
 */

import { sha256Hex } from "../../shared/io/sha256.ts";
import { PRIVATE_FOLDER } from "../../shared/io/private_modes.ts";
import { errorText } from "../../shared/cli/program.ts";
import { utf8 } from "../../shared/protocol/bytes.ts";
import type { AuthenticRequest } from "../../shared/protocol/envelope.ts";
import { MAX_WHY_CHARS } from "../../shared/protocol/limits.ts";
import { makeStreamKey } from "../../shared/protocol/live/chunk.ts";
import { type Brings, LIVE } from "../../shared/protocol/payload.ts";
import { printable } from "../../shared/protocol/printable.ts";
import type { Granted } from "../approval/grants.ts";
import type { Parking, Waiting } from "../approval/parking.ts";
import { createLiveStream } from "../payload/live_stream.ts";
import { isKnown } from "../plans/plan.ts";
import { planSequence } from "../plans/run_plan.ts";
import type { AuditFields } from "../record/audit_chain.ts";
import { decisionFields } from "../record/decision_fields.ts";
import { keepBody, keepSequence, keepSteps, type KeptWork } from "../run/kept_work.ts";
import { termsOf } from "../run/run_terms.ts";
import { undoableSteps } from "../undo/undoable_steps.ts";
import type { Received } from "./answers.ts";
import { bringPayload, type GoOn } from "./bring_payload.ts";
import { type Job, nameOf } from "./job.ts";
import type { StopSwitch } from "./stop_switch.ts";
import type { TakenRequest, Way } from "./taken_request.ts";
import type { Judged, JudgedCommand } from "./verdict.ts";

export async function carryOut(taken: TakenRequest, way: Way): Promise<Received> {
  const { job, written, seat, ruling } = taken;
  const { answers, informing } = way;
  const goOn: GoOn = (later) => carryOut(later, way);
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
      case "about":
        return await inform(taken, () => Promise.resolve(informing.about()), way);
      case "explain": {
        const { judgement } = ruling.judged;
        return await inform(taken, () => informing.explain(job.request.vm, judgement), way);
      }
      case "ask":
        if (isUnwantedStream(taken, way)) return await refuseStream(taken, way);
        if (isStillToCome(taken)) return await bringPayload(taken, ruling, way, goOn);
        return await ask(taken, ruling, way);
      case "run":
        if (isUnwantedStream(taken, way)) return await refuseStream(taken, way);
        if (isStillToCome(taken)) return await bringPayload(taken, ruling, way, goOn);
        return await run(taken, { ...ruling, isApproved: false }, way);
      default:
        return ruling satisfies never;
    }
  } catch (error) {
    const told = { error: errorText(error) };
    return answers.endRefused(job, { reason: "not-recorded", text: null, told }, seat);
  }
}

function isStillToCome({ request, payload }: TakenRequest): boolean {
  return request.payload !== null && request.payload !== LIVE && payload === undefined;
}

function isUnwantedStream({ request }: TakenRequest, { config }: Way): boolean {
  return request.payload === LIVE && !config().liveStdin;
}

async function refuseStream(
  { job, written, seat, ruling: { told } }: TakenRequest,
  { answers }: Way,
): Promise<Received> {
  await written;
  const text = "dom0 takes no live streams: QVM_REMOTE_LIVE_STDIN is no";
  return answers.endRefused(job, { reason: "bad-payload", text, told }, seat);
}

/** What its command reads: a file, or a stream that its sessions bring. */
function stdinOf({ request, stored, job, payload }: TakenRequest): KeptWork["stdin"] {
  if (request.payload !== LIVE) return payload?.path;
  const live = createLiveStream(makeStreamKey(stored.key, request));
  job.listen(live);
  return live;
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
  taken: TakenRequest,
  { judged, told, isApproved }: Omit<Admitted, "written" | "stdin">,
  way: Way,
): Promise<Received> {
  const { request, job, stops, written, seat } = taken;
  const { answers, execution } = way;
  const admitted = { judged, told, written, isApproved, stdin: stdinOf(taken) };
  const work = await putOnRecord("accepted", request, admitted, way);
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
  const { request, stored, job, stops, written, seat, payload } = taken;
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
  const admitted = { ...ruling, written, isApproved: true, stdin: stdinOf(taken) };
  const work = await putOnRecord("parked", request, admitted, way);
  const received = answers.sit(job, seat);
  const brings = payload?.look ?? (request.payload === LIVE ? LIVE : null);
  const about: AboutWaiting = { request, stored, judged: ruling.judged, granted, brings };
  park(job, work, about, { stops, parking }, way);
  return received;
}

type AboutWaiting = Pick<Waiting, "stored" | "judged" | "granted" | "brings"> & {
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
  readonly stdin: KeptWork["stdin"];
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
  { stdin, ...admitted }: Pick<Admitted, "judged" | "isApproved" | "stdin">,
  way: Way,
): KeptWork {
  const work = keepCommand(request, admitted, way);
  return stdin === undefined ? work : { ...work, stdin };
}

function keepCommand(
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
function grantedBy(
  { vm, payload }: AuthenticRequest,
  { command, judgement }: JudgedCommand,
): Granted {
  const { operation, targets, ran_sha256 } = decisionFields(judgement, command);
  const steps = judgement.plan?.plan.steps ?? [];
  const like = steps.map((step) => step.operation.name).join(",");
  // A plan with values that are known only when it runs is like no other.
  const same = steps.every(isKnown) ? "" : ` ${ran_sha256}`;
  const what = judgement.plan === null ? operation : `${operation}(${like})${same}`;
  return { vm, operation: what, targets, ran: brought(ran_sha256, payload) };
}

/** The same words with other data are not the same; of a live stream, only that it is one is known. */
function brought(ran: string, payload: Brings): string {
  if (payload === null) return ran;
  return sha256Hex(`${ran} ${payload === LIVE ? LIVE : payload.sha256}`);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The verdict on a request: the one order of the checks, from a session's bytes to what the policy
 * says. The first check that fails is the answer, by a reason from the closed list.
 *
 *     protocol 1 accepted -> not backed off -> MAC -> VM name -> held already -> (the end of a
 *       draining) -> date -> ledger -> room -> rate -> ledger entry -> body -> lockdown, end of the daemon, key taken away -> policy
 *
 * From "held already" to the ledger entry nothing waits, so two copies of a request cannot both
 * pass. Whoever uses this says what stands behind the checks: the desk holds jobs and writes the
 * ledger, a dry run only looks.
 *
 * @module
 */

import { errorText } from "../../shared/cli/program.ts";
import type { AuthenticRequest } from "../../shared/protocol/envelope.ts";
import { checkFreshness } from "../../shared/protocol/freshness.ts";
import { LIVE } from "../../shared/protocol/payload.ts";
import type { RefusalReason } from "../../shared/protocol/refusal.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import { PlanError } from "../plans/plan.ts";
import type { Data, Judge, JudgedForm, Judgement } from "../policy/judge.ts";
import { ParameterError } from "../operations/parameter.ts";
import type { AuditFields } from "../record/audit_chain.ts";
import { decisionFields } from "../record/decision_fields.ts";
import type { Ledger } from "../record/ledger.ts";
import type { StoredKey } from "../settings/key_store.ts";
import type { Admission } from "./admission.ts";
import { RATE_LIMITED, type RateGate } from "./rate_gate.ts";
import { authenticateEvent, commandOrNull, described, type RequestEvent } from "./request_event.ts";

/** The operations that no table has: the daemon answers them, whatever the policy says. */
const ANSWERED_HERE: ReadonlyMap<string, "list" | "about"> = new Map([
  ["ops", "list"],
  ["about", "about"],
]);

/** A request as a session delivers it. */
export interface Arrival {
  /** Whose session it is, whatever the request says. */
  readonly vm: VmName;
  readonly stored: StoredKey;
  readonly event: RequestEvent;
  /** Whether the session is still open. */
  readonly isOpen: () => boolean;
}

/** What the policy is asked by: whether anything runs at all, and the rules. */
export interface Authority {
  readonly judge: Judge;
  /** Why nothing of this VM may run now, whatever the policy; null in normal operation. */
  readonly closedBecause: (vm: VmName, key: StoredKey) => RefusalReason | null;
}

/** What stands behind the checks. */
export interface Checks<Taken> extends Authority {
  /** Keeps the order in which requests came, however long their MACs take. */
  readonly inTurn: <T>(vm: VmName, work: Promise<T>) => Promise<T>;
  /** Whether dom0 has taken a request of this id, and its outcome is not acknowledged. */
  readonly isHeld: (request: AuthenticRequest) => boolean;
  readonly ledger: Pick<Ledger, "objection" | "owes">;
  readonly dateMs: () => number;
  /** Whether anything new is begun now: see admission.ts. */
  readonly closed: Admission["closed"];
  /** Whether one more of this VM's requests may be open. */
  readonly hasRoom: (vm: VmName) => boolean;
  readonly rates: RateGate;
  /** Makes it dom0's to answer. Called at most once. @throws what cannot be recorded */
  readonly take: (request: AuthenticRequest, stored: StoredKey) => Taken;
}

/** What may run, by the policy. */
export interface JudgedCommand {
  readonly command: JudgedForm;
  readonly judgement: Judgement;
}

/** What becomes of a taken request; `told` is what the record says of it. */
export type Ruling =
  /** The policy was not asked. */
  | {
    readonly next: "refuse";
    readonly reason: RefusalReason;
    /** What is wrong, for whoever asked. */
    readonly text: string | null;
    readonly told: AuditFields;
  }
  /** It asks what it may do. */
  | { readonly next: "list"; readonly told: AuditFields }
  /** It asks who answers here. */
  | { readonly next: "about"; readonly told: AuditFields }
  | Judged<"deny">
  | Judged<"ask">
  | Judged<"run">
  /** It is only to be explained, not done. */
  | Judged<"explain">;

export interface Judged<Next> {
  readonly next: Next;
  readonly judged: JudgedCommand;
  readonly told: AuditFields;
}

export type Verdict<Taken> =
  /** Nothing of it is kept. */
  | { readonly kind: "refused"; readonly reason: RefusalReason; readonly told: AuditFields }
  /** Its session ended meanwhile: the VM sends it again in the next one, before anything new. */
  | { readonly kind: "session-over" }
  | { readonly kind: "held"; readonly request: AuthenticRequest }
  /** Its entry in the ledger is all that is left of it. */
  | { readonly kind: "owed"; readonly request: AuthenticRequest }
  | {
    readonly kind: "taken";
    readonly request: AuthenticRequest;
    readonly taken: Taken;
    readonly ruling: Ruling;
  };

export async function judgeRequest<Taken>(
  { vm, stored, event, isOpen }: Arrival,
  checks: Checks<Taken>,
): Promise<Verdict<Taken>> {
  if (event.kind === "request-v1" && !stored.acceptsV1) return refused("v1-not-accepted");
  if (!checks.rates.mayBeHeard(vm, stored)) return refused(RATE_LIMITED);
  const request = await checks.inTurn(vm, authenticateEvent(event, stored.key, vm));
  checks.rates.wasSigned(vm, request !== null);
  if (request === null) return refused("bad-mac");
  if (request.vm !== vm) return refused("wrong-vm", { named: request.vm });

  for (let closed; !checks.isHeld(request) && (closed = checks.closed()) !== null;) await closed;
  if (!isOpen()) return { kind: "session-over" };
  if (checks.isHeld(request)) return { kind: "held", request };
  if (checks.ledger.owes(request)) return { kind: "owed", request };
  const stale = checkFreshness(request, checks.dateMs()) ?? checks.ledger.objection(request);
  if (stale !== null) return refused(stale);
  if (!checks.hasRoom(vm)) return refused("overloaded");
  if (!checks.rates.mayAsk(vm)) return refused(RATE_LIMITED);
  let taken: Taken;
  try {
    taken = checks.take(request, stored);
  } catch (error) {
    return refused("not-recorded", { error: errorText(error) });
  }

  return { kind: "taken", request, taken, ruling: await ruleOn(request, stored, checks) };
}

function refused<Taken>(reason: RefusalReason, told: AuditFields = {}): Verdict<Taken> {
  return { kind: "refused", reason, told };
}

/** What is wrong with a taken request, or what the policy says of it. If this fails, it is refused. */
async function ruleOn(
  request: AuthenticRequest,
  stored: StoredKey,
  authority: Authority,
): Promise<Ruling> {
  const command = commandOrNull(request);
  if (command === null) return refusedRuling("bad-body");
  try {
    return await askPolicy(request, command, stored, authority);
  } catch (error) {
    return refusedRuling("not-recorded", { error: errorText(error) });
  }
}

function refusedRuling(
  reason: RefusalReason,
  told: AuditFields = {},
  text: string | null = null,
): Ruling {
  return { next: "refuse", reason, text, told };
}

async function askPolicy(
  request: AuthenticRequest,
  command: JudgedForm,
  stored: StoredKey,
  { closedBecause, judge }: Authority,
): Promise<Ruling> {
  const closed = closedBecause(request.vm, stored);
  if (closed !== null) return refusedRuling(closed);
  const what = described(request, command);
  const answered = command.mode === "op" ? ANSWERED_HERE.get(command.name) : undefined;
  if (answered !== undefined) return { next: answered, told: what };
  const judgement = await judgeOrFault(request, command, judge);
  const closedSince = closedBecause(request.vm, stored); // judging may have taken a while
  if (closedSince !== null) return refusedRuling(closedSince);
  if (judgement instanceof ParameterError) {
    return refusedRuling("bad-operation", what, judgement.message);
  }
  if (judgement instanceof PlanError) return refusedRuling("bad-plan", what, judgement.message);
  const told = { ...what, ...decisionFields(judgement, command) };
  const next = request.flags.has("explain") ? "explain" : NEXT[judgement.decision.action];
  return { next, judged: { command, judgement }, told };
}

async function judgeOrFault(
  { vm, payload }: AuthenticRequest,
  command: JudgedForm,
  judge: Judge,
): Promise<Judgement | ParameterError | PlanError> {
  try {
    return await judge(vm, command, dataOf(payload));
  } catch (error) {
    if (error instanceof ParameterError || error instanceof PlanError) return error;
    throw error;
  }
}

function dataOf(payload: AuthenticRequest["payload"]): Data {
  if (payload === LIVE) return "live";
  return payload === null ? "none" : "whole";
}

export const NEXT = { allow: "run", ask: "ask", deny: "deny" } as const;

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Requests that wait for a person. Each ends in exactly one way: a person approves it, and it runs; a
 * person denies it; it expires; the policy no longer allows it; or its VM, the operator or the daemon
 * ends it like any other request. Nothing is polled: each request has one timer, and everything else
 * is an event.
 *
 * An approval is bound to what was shown. Before it counts, the policy is asked again and the preview
 * is made again; if either has changed, the request goes on waiting, with the new preview.
 *
 * @module
 */

import type { LIVE } from "../../shared/protocol/payload.ts";
import type { Clock } from "../../shared/io/clock.ts";
import { errorText } from "../../shared/cli/program.ts";
import type { RefusalReason } from "../../shared/protocol/refusal.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import type { Authority, JudgedCommand } from "../judge/verdict.ts";
import type { Judgement } from "../policy/judge.ts";
import { subjectOf } from "../policy/subject.ts";
import type { AuditFields } from "../record/audit_chain.ts";
import { type Audit, recordQuietly } from "../record/audit_log.ts";
import type { ReadOperation } from "../run/read_operation.ts";
import type { StoredKey } from "../settings/key_store.ts";
import type { Grant, Granted, Grants } from "./grants.ts";
import type { ParkedFiles } from "./parked_files.ts";
import {
  type ParkedIdentity,
  type ParkedTimes,
  type ParkedView,
  parkedView,
  wordsThatRun,
} from "./parked_view.ts";
import type { PayloadLook } from "../payload/received_payload.ts";
import { previewOfRequest } from "./preview.ts";

/** What the desk hands over. */
export interface Waiting {
  readonly request: ParkedIdentity;
  readonly stored: StoredKey;
  readonly judged: JudgedCommand;
  /** What a grant would be about. */
  readonly granted: Granted;
  /** null: nothing. */
  readonly brings: PayloadLook | typeof LIVE | null;
  /** Whether it has its outcome: its VM or the operator ended it. */
  readonly isOver: () => boolean;
  /** A person said yes; `judgement` is the policy's of now. */
  readonly run: (judgement: Judgement) => void;
  /** @param text for whoever asked; null: the reason says it */
  readonly refuse: (reason: RefusalReason, text: string | null) => void;
}

/** Who answers, for the record. */
export interface Approver {
  readonly user: string;
  /** Where: a terminal, or "dialog". */
  readonly via: string;
}

export interface Approve {
  readonly vm: string;
  readonly id: string;
  readonly hash: string;
  /** It may be done again for so long; null: this once. */
  readonly forSeconds: number | null;
  /** And with other values. */
  readonly allLike: boolean;
}

export interface Deny {
  readonly vm: string;
  readonly id: string;
  readonly hash: string;
  readonly reason: string | null;
}

export interface Answer {
  readonly ok: boolean;
  /** For the person. */
  readonly text: string;
}

export interface Parking {
  hasRoom(vm: VmName): boolean;
  park(waiting: Waiting): void;
  /** Its VM or the operator ended it; does nothing if it does not wait. */
  leave(request: Pick<ParkedIdentity, "vm" | "id">): void;
  approve(order: Approve, by: Approver): Promise<Answer>;
  deny(order: Deny, by: Approver): Promise<Answer>;
  /** The rules have changed. */
  reconsider(): Promise<void>;
  readonly grants: Grants;
  views(): readonly ParkedView[];
}

/** Told of each request that a person can look at now, and when it no longer waits. */
export type Notice = (view: ParkedView) => { readonly end: () => void };

export interface ParkingOptions {
  readonly authority: Authority;
  readonly read: ReadOperation;
  readonly files: ParkedFiles;
  readonly grants: Grants;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly limits: () => { readonly maxParkedPerVm: number; readonly approvalExpiresMs: number };
  /** null: there is nobody to tell. */
  readonly notice: Notice | null;
  readonly onChange: () => void;
}

/** One that waits. Its body, which may be large, is not kept here. */
interface Entry extends ParkedTimes {
  readonly request: ParkedIdentity;
  readonly stored: StoredKey;
  /** The judgement at the time; it can be asked for again. */
  readonly judgement: Judgement;
  readonly words: ParkedView["argvs"];
  readonly granted: Granted;
  readonly brings: PayloadLook | typeof LIVE | null;
  readonly isOver: () => boolean;
  readonly run: Waiting["run"];
  readonly refuse: Waiting["refuse"];
  readonly endTimer: () => void;
  /** Resolves when there is a view. */
  readonly shown: Promise<void>;
  view: ParkedView | null;
  endNotice: () => void;
}

export function createParking(options: ParkingOptions): Parking {
  const lot = createLot(options);
  const { entries } = lot;
  let last = 0;
  return {
    grants: options.grants,
    hasRoom: (vm) =>
      [...entries.values()].filter(({ request }) => request.vm === vm).length <
        options.limits().maxParkedPerVm,
    park(waiting) {
      const entry = enter(waiting, ++last, lot);
      entries.set(keyOf(waiting.request), entry);
      options.onChange();
    },
    leave(request) {
      const entry = lot.find(request);
      if (entry !== undefined) lot.take(entry);
    },
    approve: (order, by) => approve(order, by, lot),
    deny: (order, by) => deny(order, by, lot),
    async reconsider() {
      for (const entry of [...entries.values()]) await judgeAgain(entry, lot);
    },
    views: () => [...entries.values()].flatMap(({ view }) => view === null ? [] : [view]),
  };
}

/** Shared by all the ways in which waiting ends. */
interface Lot {
  readonly options: ParkingOptions;
  /** By keyOf(). */
  readonly entries: Map<string, Entry>;
  find(name: RequestName): Entry | undefined;
  /** Ends the waiting. @returns false if it had ended already: then somebody else answers it */
  take(entry: Entry): boolean;
}

type RequestName = { readonly vm: string; readonly id: string };

function keyOf({ vm, id }: RequestName): string {
  return `${vm} ${id}`;
}

function createLot(options: ParkingOptions): Lot {
  const entries = new Map<string, Entry>();
  const lot: Lot = {
    options,
    entries,
    find: (name) => entries.get(keyOf(name)),
    take(entry) {
      const { request } = entry;
      if (lot.find(request) !== entry) return false;
      entries.delete(keyOf(request));
      entry.endTimer();
      entry.endNotice();
      options.files.remove(request);
      options.onChange();
      return true;
    },
  };
  return lot;
}

function enter(waiting: Waiting, number: number, lot: Lot): Entry {
  const { clock, limits } = lot.options;
  const { command, judgement } = waiting.judged;
  const parkedAtMs = clock.dateMs();
  const { expiresMs = Infinity } = judgement.decision.options;
  const waitMs = Math.max(1, Math.min(limits().approvalExpiresMs, expiresMs - parkedAtMs));
  const shown = Promise.withResolvers<void>();
  const { vm, id, digest, why, timeoutMs } = waiting.request;
  const { stored, granted, brings, isOver, run, refuse } = waiting;
  const entry: Entry = {
    number,
    parkedAtMs,
    expiresAtMs: parkedAtMs + waitMs,
    request: { vm, id, digest, why, timeoutMs },
    stored,
    judgement,
    granted,
    brings,
    isOver,
    run,
    refuse,
    words: wordsThatRun(command, judgement),
    endTimer: clock.every(waitMs, () => expire(entry, lot)),
    shown: shown.promise,
    view: null,
    endNotice: () => {},
  };
  const script = command.mode === "script" && judgement.recognised === null ? command.script : null;
  showFirst(entry, script, lot).catch((error) => refuseUnshown(entry, error, lot))
    .finally(shown.resolve);
  return entry;
}

async function showFirst(entry: Entry, script: Uint8Array | null, lot: Lot): Promise<void> {
  if (script !== null) lot.options.files.putBody(entry.request, script);
  const view = await viewOf(entry, entry.judgement, lot);
  if (lot.find(entry.request) !== entry) return; // it has ended meanwhile
  show(entry, view, lot);
  if (entry.judgement.decision.options.notify === false) return;
  entry.endNotice = lot.options.notice?.(view).end ?? entry.endNotice;
}

/** A full disk, for one: nobody can approve what nobody can look at. */
function refuseUnshown(entry: Entry, error: unknown, lot: Lot): void {
  if (!lot.take(entry)) return;
  const { vm, id } = entry.request;
  const fields = { vm, id, reason: "not-recorded", error: errorText(error) };
  recordQuietly(lot.options.audit, "refused", fields);
  entry.refuse("not-recorded", null);
}

/** If the preview fails, the view says so: the person must know that something could not be shown. */
async function viewOf(entry: Entry, judgement: Judgement, { options }: Lot): Promise<ParkedView> {
  const preview = await previewOfRequest(judgement, options.read)
    .catch((error) => ({ rows: [], unknown: [errorText(error)] }));
  const { words, brings } = entry;
  return parkedView(entry.request, judgement, { words, brings, preview }, entry);
}

function show(entry: Entry, view: ParkedView, { options }: Lot): void {
  entry.view = view;
  options.files.put(view);
  options.onChange();
}

async function approve(order: Approve, by: Approver, lot: Lot): Promise<Answer> {
  const entry = lot.find(order);
  if (entry === undefined) return NOT_WAITING;
  await entry.shown;
  if (entry.view === null || entry.view.hash !== order.hash) return CHANGED;
  const objection = objectionToGrant(order, entry.view);
  if (objection !== null) return { ok: false, text: objection };
  const judgement = await judgeAgain(entry, lot);
  if (judgement === null) return NO_LONGER_ALLOWED;
  const view = await viewOf(entry, judgement, lot);
  if (lot.find(order) !== entry || entry.isOver()) return NOT_WAITING;
  if (view.hash !== order.hash) {
    show(entry, view, lot);
    return CHANGED;
  }
  if (!lot.take(entry)) return NOT_WAITING;
  const grant = grantOf(order, entry, by, lot);
  const { audit } = lot.options;
  try {
    audit.record("approved", {
      ...recordOf(entry, view, by),
      ...grant === null ? {} : { grant: grant.number, grant_until: dateText(grant.untilMs) },
    });
    await audit.sync();
  } catch (error) {
    if (grant !== null) lot.options.grants.revoke(grant.number);
    entry.refuse("not-recorded", null);
    return {
      ok: false,
      text: `it was not run, because it cannot be recorded: ${errorText(error)}`,
    };
  }
  entry.run(judgement);
  return { ok: true, text: grant === null ? "approved" : `approved, and ${describeGrant(grant)}` };
}

/** null: the policy no longer allows it, and it has been refused. */
async function judgeAgain(entry: Entry, lot: Lot): Promise<Judgement | null> {
  const { authority, audit } = lot.options;
  const closed = (): RefusalReason | null =>
    authority.closedBecause(entry.request.vm, entry.stored);
  const judgement = await entry.judgement.again();
  const reason = closed() ?? (judgement.decision.action === "deny" ? "policy-denied" : null);
  if (reason === null) return judgement;
  if (lot.take(entry)) {
    const { vm, id } = entry.request;
    recordQuietly(audit, "refused", { vm, id, reason, rule: judgement.decision.because });
    entry.refuse(reason, null);
  }
  return null;
}

/** @returns why it may not be granted for a while; null: it may, or nobody asked for that */
export function objectionToGrant(
  { forSeconds, allLike }: Pick<Approve, "forSeconds" | "allLike">,
  { operation, grantable }: Pick<ParkedView, "operation" | "grantable">,
): string | null {
  if (forSeconds === null || grantable === "like") return null;
  if (grantable === "nothing") {
    return `${operation} destroys or interrupts something: approve each one by itself, without --for`;
  }
  if (!allLike) return null;
  return `any ${operation} of a VM needs a rule in the policy, not a grant: leave --all-like out`;
}

/** @returns null if it was approved for this once only */
function grantOf(
  { forSeconds, allLike }: Approve,
  { granted }: Entry,
  by: Approver,
  { options }: Lot,
): Grant | null {
  if (forSeconds === null) return null;
  const terms = { anyValues: allLike, forMs: forSeconds * 1000, by: by.user };
  return options.grants.add(granted, terms);
}

async function deny(order: Deny, by: Approver, lot: Lot): Promise<Answer> {
  const entry = lot.find(order);
  await entry?.shown;
  if (entry === undefined || entry.view === null) return NOT_WAITING;
  if (entry.view.hash !== order.hash) return CHANGED;
  if (!lot.take(entry)) return NOT_WAITING;
  const why = order.reason === null ? {} : { operator_reason: order.reason };
  recordQuietly(lot.options.audit, "denied", {
    ...recordOf(entry, entry.view, by),
    reason: "not-approved",
    ...why,
  });
  entry.refuse("not-approved", order.reason);
  return { ok: true, text: "denied" };
}

function expire(entry: Entry, lot: Lot): void {
  if (!lot.take(entry)) return;
  const { vm, id } = entry.request;
  const { operation, targets } = subjectOf(entry.judgement);
  const rule = entry.judgement.decision.because;
  const fields = { vm, id, reason: "approval-expired", operation, targets, rule };
  recordQuietly(lot.options.audit, "expired", {
    ...fields,
    shown_sha256: entry.view?.hash ?? null,
  });
  entry.refuse("approval-expired", null);
}

/** What the record says of a person's answer. */
function recordOf({ request, granted }: Entry, view: ParkedView, by: Approver): AuditFields {
  return {
    vm: request.vm,
    id: request.id,
    approver: by.user,
    via: by.via,
    shown_sha256: view.hash,
    operation: view.operation,
    targets: view.targets,
    rule: view.rule,
    ran_sha256: granted.ran,
  };
}

export function describeGrant({ number, untilMs, anyValues }: Grant): string {
  const what = anyValues ? "the same with any values" : "the same again";
  return `grant ${number} allows ${what} until ${dateText(untilMs)}`;
}

function dateText(dateMs: number): string {
  return new Date(dateMs).toISOString();
}

const NOT_WAITING: Answer = {
  ok: false,
  text: "it no longer waits: it was answered, withdrawn, or has expired",
};
const CHANGED: Answer = {
  ok: false,
  text: "what it would change is not what you were shown: look at it again",
};
const NO_LONGER_ALLOWED: Answer = {
  ok: false,
  text: "the policy no longer allows it, so it was refused",
};

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A request that waits for a person, as that person is shown it, and the hash that binds the two:
 * what is approved is what was shown, or nothing.
 *
 * @module
 */

import type { LIVE } from "../../shared/protocol/payload.ts";
import { sha256Hex } from "../../shared/io/sha256.ts";
import type { AuthenticRequest } from "../../shared/protocol/envelope.ts";
import type { Level } from "../operations/operation.ts";
import { SHELL } from "../operations/table.ts";
import { stepText } from "../plans/plan.ts";
import type { JudgedForm, Judgement } from "../policy/judge.ts";
import { type Subject, subjectOf } from "../policy/subject.ts";
import type { PayloadLook } from "../payload/received_payload.ts";
import type { Preview } from "./preview.ts";

/** What a request is, without its body, which may be large. */
export type ParkedIdentity = Pick<AuthenticRequest, "vm" | "id" | "digest" | "why" | "timeoutMs">;

/**
 * What may be granted for a while: nothing, where each request has to be looked at because it destroys something;
 * exactly the same again; or the same operation to the same qubes with any values. Any command line as
 * root is a rule of the policy, and no grant.
 */
export type Grantable = "nothing" | "same" | "like";

export interface ParkedView {
  /** Small, for people; never given twice by one daemon. */
  readonly number: number;
  readonly vm: string;
  readonly id: string;
  /** 64 hex digits. */
  readonly hash: string;
  readonly parkedAtMs: number;
  readonly expiresAtMs: number;
  readonly operation: string;
  readonly level: Level;
  readonly summary: string;
  /** The qubes that it touches, "dom0" among them. */
  readonly targets: readonly string[];
  /** The rule that asks. */
  readonly rule: string;
  /** The reason that the VM gives; nobody has checked it. */
  readonly why: string | null;
  readonly timeoutMs: number;
  /** What runs, one after another, as far as it is known; null: a script, in a file of its own. */
  readonly argvs: readonly (readonly string[])[] | null;
  /** Of a plan: each step, with what is known only when it runs marked so. */
  readonly steps: readonly string[] | null;
  readonly destructive: boolean;
  readonly grantable: Grantable;
  /** How it is taken back, or that it cannot be. */
  readonly undo: string;
  readonly preview: Preview;
  /** What it brings, which its commands read on stdin: "live" is not known yet; null: nothing. */
  readonly brings: PayloadLook | typeof LIVE | null;
}

export interface ParkedTimes {
  readonly number: number;
  readonly parkedAtMs: number;
  readonly expiresAtMs: number;
}

interface ParkedParts extends Pick<ParkedView, "preview" | "brings"> {
  readonly words: ParkedView["argvs"];
}

export function parkedView(
  { vm, id, digest, why, timeoutMs }: ParkedIdentity,
  judgement: Judgement,
  { words, preview, brings }: ParkedParts,
  { number, parkedAtMs, expiresAtMs }: ParkedTimes,
): ParkedView {
  const { operation, level, summary, targets, destructive, undo } = subjectOf(judgement);
  const { plan, decision } = judgement;
  const steps = plan?.plan.steps.map(stepText) ?? null;
  return {
    number,
    parkedAtMs,
    expiresAtMs,
    vm,
    id,
    operation,
    why,
    timeoutMs,
    preview,
    brings,
    hash: hashOf([vm, id, digest, operation, words, steps, preview]),
    level,
    summary,
    targets,
    destructive,
    steps,
    rule: decision.because,
    argvs: words,
    grantable: grantableOf(judgement),
    undo: operation === SHELL ? UNKNOWN_UNDO : UNDO_TEXT[undo],
  };
}

function grantableOf({ recognised, plan }: Judgement): Grantable {
  if (plan !== null) return subjectOf({ recognised, plan }).destructive ? "nothing" : "same";
  if (recognised === null) return "same";
  return recognised.operation.destructive ? "nothing" : "like";
}

/** The words that run; null for a script, which the request's digest names. */
export function wordsThatRun(
  command: JudgedForm,
  { recognised, plan }: Judgement,
): ParkedView["argvs"] {
  if (plan !== null) return plan.steps.flatMap((step) => step.recognised?.argvs ?? []);
  if (recognised !== null) return recognised.argvs;
  return command.mode === "argv" ? [command.argv] : null;
}

const UNKNOWN_UNDO = "it cannot be undone: what it changes is not known";
const UNDO_TEXT: Readonly<Record<Subject["undo"], string>> = {
  all: 'by "qvm-remote-dom0 undo" and its id',
  some: 'some of its steps, by "qvm-remote-dom0 undo", its id and --step; not all',
  none: "there is nothing that undoes it",
};

function hashOf(parts: unknown): string {
  return sha256Hex(JSON.stringify(parts));
}

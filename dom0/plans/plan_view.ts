// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A plan that runs, or has run, as a person is shown it: what each step is and what became of it.
 * Made from what happens, one thing after another. Pure.
 *
 * @module
 */

import type { Seen } from "../undo/undo_record.ts";
import { type Plan, stepText } from "./plan.ts";
import type { PlanLine, StepLine } from "./run_plan.ts";

/**
 *     waiting   its turn has not come
 *     running
 *     done
 *     failed
 *     refused   it did not run: because of the policy, or a value that is missing or has changed
 *     stopped   it was cut off and may be half done
 *     undone    what was there before it is there again
 */
export type StepState =
  | "waiting"
  | "running"
  | "done"
  | "failed"
  | "refused"
  | "stopped"
  | "undone";

export interface PlanStepView {
  readonly number: number;
  /** "step 1: vm.start vm=work"; of a plan that a VM wrote, the VM's text. */
  readonly text: string;
  readonly operation: string;
  readonly state: StepState;
  readonly exit: number | null;
  /** What went wrong, or what its tool said. */
  readonly said: string | null;
  /** As JSON; null: it has none, or it is too long. */
  readonly result: string | null;
  /** What it changes, before it ran and after; null: it was not, or cannot be, read. */
  readonly before: Seen;
  readonly after: Seen;
  readonly endedMs: number | null;
}

export interface PlanView {
  /** Whose plan it is; "dom0" for the operator's. */
  readonly vm: string;
  readonly id: string;
  /** "work", or "web s-3". */
  readonly by: string;
  readonly begunMs: number;
  readonly endedMs: number | null;
  /** "interrupted": its daemon ended, and how far the running step came is not known. */
  readonly state: "running" | "done" | "failed" | "stopped" | "interrupted";
  readonly steps: readonly PlanStepView[];
  readonly undoOnFailure: boolean;
  /** Steps that could not be taken back, if that was wanted. */
  readonly notUndone: readonly number[];
}

export type PlanOwner = Pick<PlanView, "vm" | "id" | "by">;

/** The whole view is written at each change, so long texts are cut; the answer to the VM has all. */
const MAX_TEXT_CHARS = 400;
const MAX_SAID_CHARS = 1000;
const MAX_SEEN_CHARS = 4000;

export function newPlanView(plan: Plan, owner: PlanOwner, nowMs: number): PlanView {
  return {
    ...owner,
    begunMs: nowMs,
    endedMs: null,
    state: "running",
    undoOnFailure: plan.undoOnFailure,
    notUndone: [],
    steps: plan.steps.map((step) => ({
      number: step.number,
      text: cut(stepText(step), MAX_TEXT_CHARS),
      operation: step.operation.name,
      state: "waiting",
      exit: null,
      said: null,
      result: null,
      before: null,
      after: null,
      endedMs: null,
    })),
  };
}

export function withBegun(view: PlanView, number: number): PlanView {
  return withStep(view, number, () => ({ state: "running" }));
}

export function withSeen(view: PlanView, number: number, before: Seen): PlanView {
  return withStep(view, number, () => ({ before: ifShort(before) }));
}

export function withStepEnd(
  view: PlanView,
  line: StepLine,
  after: Seen,
  nowMs: number,
): PlanView {
  const result = line.result === undefined ? null : JSON.stringify(line.result);
  return withStep(view, line.step, () => ({
    state: line.outcome,
    exit: line.exit,
    said: line.stderr === undefined ? null : cut(line.stderr, MAX_SAID_CHARS),
    result: result === null || result.length > MAX_SAID_CHARS ? null : result,
    after: ifShort(after),
    endedMs: nowMs,
  }));
}

export function withEnd(view: PlanView, line: PlanLine, nowMs: number): PlanView {
  const { plan: state, undone = [], notUndone = [] } = line;
  const ended: PlanView = { ...view, state, notUndone, endedMs: nowMs };
  return undone.reduce(
    (now, number) => withStep(now, number, () => ({ state: "undone" })),
    withoutRunning(ended),
  );
}

/** As it is found after its daemon has ended. */
export function withInterruption(view: PlanView): PlanView {
  return view.state === "running" ? withoutRunning({ ...view, state: "interrupted" }) : view;
}

function withoutRunning(view: PlanView): PlanView {
  const steps = view.steps.map((step): PlanStepView =>
    step.state === "running" ? { ...step, state: "stopped" } : step
  );
  return { ...view, steps };
}

function withStep(
  view: PlanView,
  number: number,
  change: (step: PlanStepView) => Partial<PlanStepView>,
): PlanView {
  const steps = view.steps.map((step) =>
    step.number === number ? { ...step, ...change(step) } : step
  );
  return { ...view, steps };
}

/** All rules of a firewall are read for one of them. */
function ifShort(seen: Seen): Seen {
  return JSON.stringify(seen).length > MAX_SEEN_CHARS ? null : seen;
}

function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most)}…` : text;
}

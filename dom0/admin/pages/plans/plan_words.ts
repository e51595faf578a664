// SPDX-License-Identifier: GPL-2.0-or-later
/** A plan in the words of every page. @module */

import type { PlanStepView, PlanView, StepState } from "../../../plans/plan_view.ts";
import type { Html } from "../../markup/markup.ts";
import { many, state, type StateShape } from "../parts.ts";

export function planPath({ vm, id }: Pick<PlanView, "vm" | "id">): string {
  return `/plans/${encodeURIComponent(vm)}/${encodeURIComponent(id)}`;
}

const STEP_STATES: Readonly<Record<StepState, readonly [shape: StateShape, words: string]>> = {
  waiting: ["off", "Not run"],
  running: ["busy", "Running"],
  done: ["ok", "Done"],
  failed: ["bad", "Failed"],
  refused: ["bad", "Not run"],
  stopped: ["bad", "Cut off"],
  undone: ["undone", "Undone"],
};

export function stepState({ state: of, exit }: PlanStepView, isRunning: boolean): Html {
  if (of === "waiting" && isRunning) return state("wait", "Waiting");
  const [shape, words] = STEP_STATES[of];
  return state(shape, of === "failed" && exit !== null ? `${words}, exit ${exit}` : words);
}

export function planState({ state: of, steps, notUndone }: PlanView): Html {
  const done = steps.filter((step) => step.state === "done").length;
  switch (of) {
    case "running":
      return state("busy", `Running, ${done} of ${many(steps.length, "step")} done`);
    case "done":
      return done > 0 ? state("ok", "Done") : state("undone", "Done, then undone");
    case "failed":
      return state("bad", isUndone(steps, notUndone) ? "Failed, undone" : "Failed");
    case "stopped":
      return state("bad", "Stopped");
    case "interrupted":
      return state("bad", "Interrupted");
    default:
      return of satisfies never;
  }
}

function isUndone(steps: readonly PlanStepView[], notUndone: readonly number[]): boolean {
  return notUndone.length === 0 && steps.some((step) => step.state === "undone");
}

/** "step 2 (new): vm.start vm=work" without what the list says already. */
export function stepWords(text: string, operation: string): string {
  const at = text.indexOf(operation);
  return at < 0 ? text : text.slice(at + operation.length).trim();
}

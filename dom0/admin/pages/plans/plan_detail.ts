// SPDX-License-Identifier: GPL-2.0-or-later
/** One plan, whole: what each step changes and what became of it, how it went, and its undo. @module */

import type { View } from "../../admin_context.ts";
import type { DiffLine, ParkedStep, StepUndo } from "../../channel/dom0_channel.ts";
import type { JsonValue } from "../../../operations/operation.ts";
import { shownValue } from "../../../operations/shown_value.ts";
import { changeLines } from "../../channel/diff_lines.ts";
import { type Content, type Html, lines, markup, NOTHING } from "../../markup/markup.ts";
import type { PlanStepView, PlanView } from "../../../plans/plan_view.ts";
import { OPERATOR } from "../../../undo/run_undo.ts";
import { remainsOf } from "../../staged/settle_staged.ts";
import { diff, many, notice, panel, postButton, qube, says, time } from "../parts.ts";
import { planPath, planState, stepState, stepWords } from "./plan_words.ts";

export interface ShownPlan {
  readonly plan: PlanView;
  readonly undo: readonly StepUndo[];
}

export function planDetail(view: View, shown: ShownPlan): Html {
  const plan = asItIsNow(shown);
  return markup`${
    outcome(plan)
  }<div class="cols"><section class="panel c8" aria-labelledby="steps-h"><header><h2 id="steps-h">Steps</h2><span class="small soft">${
    plan.undoOnFailure
      ? "at the first failure it stops, and what was done is undone"
      : "at the first failure it stops"
  }</span></header><ol class="steps">${
    plan.steps.map((step) => runStep(view, plan, step))
  }</ol></section><div class="c4 stack">${facts(view, plan, shown.undo)}${
    progress(view, plan)
  }</div></div>`;
}

/** What was undone since it ended is undone. */
function asItIsNow({ plan, undo }: ShownPlan): PlanView {
  const undone = new Set(undo.filter(({ isUndone }) => isUndone).map(({ step }) => step));
  const steps = plan.steps.map((step): PlanStepView =>
    undone.has(step.number) ? { ...step, state: "undone" } : step
  );
  return { ...plan, steps };
}

/** Of a plan that waits: each step, with what dom0 says it would change. */
export function stepPreviews(steps: readonly ParkedStep[]): Html {
  return markup`<ol class="steps">${
    steps.map(({ text, lines: change, notes }) => {
      const [, words = text] = /^step [0-9]+(?: \([^)]*\))?: (.*)$/su.exec(text) ?? [];
      const [operation = "", ...values] = words.split(" ");
      return markup`<li><div><div class="row"><strong><code>${operation}</code></strong> <span class="words">${
        values.join(" ")
      }</span></div>${change.length > 0 && diff(change, "Before and after")}${
        notes.map((note) => markup`<p class="small">${note}</p>`)
      }${
        change.length === 0 && notes.length === 0 &&
        markup`<p class="small soft">dom0 cannot tell what it would change, or it changes nothing.</p>`
      }</div></li>`;
    })
  }</ol>`;
}

/** What is true now, in one sentence, where it did not go well. */
function outcome(plan: PlanView): Content {
  if (plan.state === "running" || plan.state === "done") return NOTHING;
  const at = plan.steps.find((step) => ["failed", "refused", "stopped"].includes(step.state)) ??
    plan.steps.find((step) => step.said !== null && step.exit !== 0);
  const what = plan.state === "interrupted"
    ? "The daemon ended while it ran."
    : plan.state === "stopped"
    ? "It was stopped."
    : `Step ${at?.number ?? "?"} of ${plan.steps.length} was not done.`;
  return notice("bad", markup`<strong>${what}</strong> ${remainsText(plan)}`);
}

function remainsText(plan: PlanView): string {
  if (plan.undoOnFailure || plan.state === "interrupted") return remainsOf(plan);
  const done = plan.steps.filter(({ state }) => state === "done").map(({ number }) => number);
  return done.length === 0
    ? "No step before it was done."
    : `Done before it, and not taken back: step ${done.join(", ")}.`;
}

function runStep(view: View, { state, vm }: PlanView, step: PlanStepView): Html {
  const { text, operation, said, result } = step;
  return markup`<li data-key="${
    String(step.number)
  }"><div><div class="row"><strong><code>${operation}</code></strong> <span class="words">${
    stepWords(text, operation)
  }</span> <span class="push">${stepState(step, state === "running")} ${
    step.endedMs !== null &&
    markup`<span class="soft small">${time(step.endedMs, view.nowMs)}</span>`
  }</span></div>${change(step)}${
    said !== null && said.trim() !== "" &&
    (vm === OPERATOR || step.state === "refused"
      ? markup`<pre><span class="err">${lines(said.trim())}</span></pre>`
      : says(view, vm, `what ${operation} said`, markup`<pre>${lines(said.trim())}</pre>`))
  }${
    result !== null &&
    markup`<details id="result-${step.number}"><summary class="small">Result</summary><pre tabindex="0">${
      lines(result)
    }</pre></details>`
  }</div></li>`;
}

/** While it runs, what is there; then what became of it. */
function change({ before, after, state }: PlanStepView): Content {
  if (before === null) return NOTHING;
  const was = wordOf(before.value);
  const lines: readonly DiffLine[] = after === null
    ? [{ kind: "same", text: shownValue(was) }]
    : changeLines("", was, wordOf(after.value)).map(({ kind, text }) => ({
      kind,
      text: text.replace(/^: /, ""),
    }));
  return markup`${diff(lines, "Before and after")}${
    state === "undone" &&
    markup`<p class="small soft">As it is again: what was there before.</p>`
  }`;
}

/** Whether a tag, or a qube, is there. */
function wordOf(value: JsonValue): JsonValue {
  return typeof value === "boolean" ? (value ? "present" : "absent") : value;
}

function facts(view: View, plan: PlanView, undo: readonly StepUndo[]): Html {
  const { vm, id, by, begunMs, endedMs, state } = plan;
  const path = planPath(plan);
  return panel(
    { title: "Plan" },
    markup`<div class="body stack"><dl class="facts"><dt>State</dt><dd>${planState(plan)}</dd>
<dt>From</dt><dd>${vm === OPERATOR ? markup`you, ${by}` : qube(view, vm)}</dd>
<dt>Began</dt><dd>${time(begunMs, view.nowMs)}</dd>${
      endedMs !== null && markup`<dt>Ended</dt><dd>${time(endedMs, view.nowMs)}</dd>`
    }<dt>Request</dt><dd><code>${id}</code></dd></dl><div class="row">${
      state === "running"
        ? vm === OPERATOR &&
          postButton(view.session, path, { what: "cancel" }, "Stop", "danger")
        : undoButton(view, plan, undo)
    }<a href="/logs?text=${encodeURIComponent(id)}">Records</a></div></div>`,
  );
}

function undoButton(view: View, plan: PlanView, undo: readonly StepUndo[]): Content {
  const left = undo.filter(({ isUndone }) => !isUndone);
  if (left.length === 0) return NOTHING;
  if (left.some(({ hasWay }) => !hasWay)) {
    return markup`<span class="small">Not all of it can be undone. <a href="/undo">Undo step by step</a></span>`;
  }
  const words = `Undo ${many(left.length, "step")}`;
  return postButton(view.session, planPath(plan), { what: "undo" }, words, "");
}

function progress(view: View, { steps, begunMs, endedMs, state }: PlanView): Html {
  const done = steps.filter((step) => step.state === "done").length;
  const ended = steps.filter((step) => step.endedMs !== null)
    .toSorted((one, other) => (one.endedMs ?? 0) - (other.endedMs ?? 0));
  return panel(
    { title: "Progress", aside: state === "running" ? "live" : "ended" },
    markup`<div class="body stack"><progress max="${steps.length}" value="${done}" aria-label="${done} of ${
      many(steps.length, "step")
    } done"></progress><ol class="small facts times"><li class="soft">${
      time(begunMs, view.nowMs)
    }</li><li>Began</li>${
      ended.map((step) =>
        markup`<li class="soft">${
          time(step.endedMs ?? 0, view.nowMs)
        }</li><li>Step ${step.number}: ${stepState(step, false)}</li>`
      )
    }${
      endedMs !== null &&
      markup`<li class="soft">${time(endedMs, view.nowMs)}</li><li>Ended</li>`
    }</ol></div>`,
  );
}

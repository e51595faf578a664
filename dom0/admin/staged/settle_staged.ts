// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What becomes of a session's staged changes when the plan that applies them has ended: what was done
 * leaves the list, all of it or nothing.
 *
 * @module
 */

import type { PlanView } from "../../plans/plan_view.ts";
import type { Notice, Session } from "../server/sessions.ts";

/** A plan is shown as soon as its first step begins. */
const SHOWN_MS = 10_000;

export function settleStaged(session: Session, plans: readonly PlanView[], nowMs: number): void {
  const { applying } = session;
  if (applying === null) return;
  const plan = plans.find(({ id }) => id === applying.id);
  if (plan?.state === "running") return;
  if (plan === undefined && nowMs - applying.sinceMs < SHOWN_MS) return;
  session.applying = null;
  if (plan?.state === "done") {
    // By themselves, not by what they are about: such a change may have been edited meanwhile.
    session.staged = session.staged.filter((one) => !applying.changes.includes(one));
  }
  session.notices.push(noticeOf(plan, applying.changes.length));
}

function noticeOf(plan: PlanView | undefined, length: number): Notice {
  if (plan === undefined) {
    return { kind: "bad", text: "The plan did not begin: nothing was changed. See the log." };
  }
  if (plan.state === "done") {
    return {
      kind: "ok",
      text: length === 1 ? "1 change was applied." : `${length} changes were applied.`,
    };
  }
  return { kind: "bad", text: `${failureOf(plan)} ${remainsOf(plan)}` };
}

function failureOf({ steps, state }: PlanView): string {
  const failed = steps.find(({ state, exit }) =>
    state === "refused" || (exit !== null && exit !== 0)
  );
  if (failed === undefined) {
    return state === "interrupted" ? "The daemon ended meanwhile." : "It was stopped.";
  }
  const { number, exit, said } = failed;
  const why = said === null ? "" : `: ${said.trim().replace(/[.!]$/, "")}`;
  return exit === null
    ? `Step ${number} was not done${why}.`
    : `Step ${number} failed with code ${exit}${why}.`;
}

/** What is changed all the same: in sentences. */
export function remainsOf({ state, steps, notUndone }: PlanView): string {
  const touched = steps.filter((step) =>
    state === "interrupted" ? ["done", "stopped"].includes(step.state) : notUndone.includes(
      step.number,
    )
  );
  if (touched.length > 0) {
    const which = touched.map(({ number }) => number).join(", ");
    return `Not taken back: step ${which}. Look at what is there now.`;
  }
  return steps.some((step) => step.state === "undone")
    ? "What was applied before it was taken back: nothing is changed."
    : "Nothing was changed.";
}

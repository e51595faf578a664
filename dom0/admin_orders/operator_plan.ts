// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Changes of the operator as one plan, run as the plans of VMs are: in order, each with its result, and
 * at the first that fails those before it are taken back. A step runs only if what it changes is still
 * what the operator saw.
 *
 * @module
 */

import { errorText } from "../../shared/cli/program.ts";
import type { OperationCall } from "../../shared/protocol/command.ts";
import type { JsonValue } from "../operations/operation.ts";
import { recogniseNamed } from "../operations/recognise.ts";
import { parsePlan, type Plan, stepText } from "../plans/plan.ts";
import type { PlanBoard } from "../plans/plan_board.ts";
import { planSequence } from "../plans/run_plan.ts";
import { escapeTemplate } from "../plans/template.ts";
import type { Judgement } from "../policy/judge.ts";
import { type Audit, recordQuietly } from "../record/audit_log.ts";
import { OPERATOR } from "../undo/run_undo.ts";
import type { Seen } from "../undo/undo_record.ts";
import type { Undoing } from "../undo/undoing.ts";
import type { OperatorRuns } from "./operator_runs.ts";
import { settingText } from "./setting_text.ts";

export interface PlannedChange {
  readonly operation: string;
  readonly values: Readonly<Record<string, string>>;
  /** As settingText() says it. */
  readonly before: string;
}

export interface OperatorPlanOptions {
  readonly runs: OperatorRuns;
  readonly audit: Audit;
  readonly undoing: Undoing;
  readonly board: PlanBoard;
}

/**
 * Resolves as soon as the plan is on record; how far it has come is on the board.
 *
 * @returns { id }
 * @throws {PlanError} it is none, and nothing of it runs
 * @throws {UserError} dom0 is locked down
 */
export async function beginPlan(
  changes: readonly PlannedChange[],
  by: string,
  options: OperatorPlanOptions,
): Promise<JsonValue> {
  const plan = parsePlan(planText(changes));
  const { runs, audit } = options;
  runs.refuseLockdown();
  const id = runs.newId();
  const told = { by, operation: "plan", id };
  audit.record("operator", { action: "runs", ...told, command: plan.steps.map(stepText) });
  await audit.sync();
  const sequence = sequenceOf(plan, changes, { id, by }, options);
  const timeoutSeconds = plan.steps.reduce((sum, { operation: o }) => sum + o.timeoutSeconds, 0);
  void runs.run({ id, sequence, timeoutSeconds, onOutput: () => {} }).then(
    ({ exitCode }) => recordQuietly(audit, "operator", { action: "ran", ...told, exit: exitCode }),
  ).catch((error) => console.error(`plan ${id}: ${errorText(error)}`));
  return { id };
}

/** With nothing in it that the plan's own language would take for a variable. */
function planText(changes: readonly PlannedChange[]): string {
  const steps = changes.map(({ operation, values }) => ({
    ...Object.fromEntries(
      Object.entries(values).map(([key, value]) => [key, escapeTemplate(value)]),
    ),
    operation,
  }));
  return JSON.stringify({ steps, undoOnFailure: true });
}

function sequenceOf(
  plan: Plan,
  changes: readonly PlannedChange[],
  { id, by }: { readonly id: string; readonly by: string },
  { undoing, board }: OperatorPlanOptions,
) {
  return planSequence(plan, {
    vm: OPERATOR,
    id,
    isApproved: true,
    judge: judgeForOperator,
    objection: ({ number, operation }, before) =>
      conflictOf(operation.name, changes[number - 1], before),
    afterwards: () => Promise.resolve(null),
    keeper: undoing.keeper,
    undo: (steps, mayGoOn) => undoing.undo({ vm: OPERATOR, id, steps, mayGoOn }),
    progress: board.follow(plan, { vm: OPERATOR, id, by }),
  });
}

function conflictOf(
  operation: string,
  change: PlannedChange | undefined,
  before: Seen,
): string | null {
  if (change === undefined) throw new Error("bug: a step without its change");
  if (before === null) return "what is there now cannot be read";
  const now = settingText(operation, change.values, before.value);
  return now === change.before
    ? null
    : `its value changed meanwhile: it is ${now || "empty"}, and was ${change.before || "empty"}`;
}

/** No policy is asked: it is the operator's own. */
function judgeForOperator({ name, pairs }: OperationCall): Promise<Judgement> {
  const recognised = recogniseNamed(name, pairs.map(([key, value]) => `${key}=${value}`));
  const judgement: Judgement = {
    recognised,
    plan: null,
    view: null,
    decision: { action: "allow", because: "the operator", options: {} },
    again: () => Promise.resolve(judgement),
  };
  return Promise.resolve(judgement);
}

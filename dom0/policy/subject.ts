// SPDX-License-Identifier: GPL-2.0-or-later
/** What a judged request is, in one form for an operation, a plan and a command line. Pure. @module */

import type { Level } from "../operations/operation.ts";
import type { Target } from "../operations/parameter.ts";
import { SHELL } from "../operations/table.ts";
import { CHANGES } from "../operations/undo.ts";
import type { JudgedPlan } from "../plans/judge_plan.ts";
import type { Judgement } from "./judge.ts";

/** The operation's name under which a plan is recorded and shown. */
export const PLAN = "plan";

export interface Subject {
  /** "vm.start", "plan" or "shell". */
  readonly operation: string;
  readonly level: Level;
  readonly summary: string;
  /** The qubes that it touches, as far as they are known; "dom0" for none. */
  readonly targets: readonly string[];
  readonly destructive: boolean;
  /** Whether it can be undone: a plan wholly, in part, or not. */
  readonly undo: "all" | "some" | "none";
}

export function subjectOf({ recognised, plan }: Pick<Judgement, "recognised" | "plan">): Subject {
  if (plan !== null) return subjectOfPlan(plan);
  if (recognised === null) {
    return {
      operation: SHELL,
      level: "full",
      targets: ["dom0"],
      destructive: true,
      undo: "none",
      summary: "Run a command line of its own, as root in dom0",
    };
  }
  const { name, level, summary, destructive } = recognised.operation;
  return {
    operation: name,
    level,
    summary,
    destructive,
    targets: recognised.touches.map(nameOf),
    undo: CHANGES.has(name) ? "all" : "none",
  };
}

function subjectOfPlan({ plan, steps }: JudgedPlan): Subject {
  const operations = plan.steps.map(({ operation }) => operation);
  const changing = operations.filter(({ level }) => level !== "monitor");
  const back = changing.filter(({ name }) => CHANGES.has(name)).length;
  const targets = steps.flatMap(({ recognised }) => recognised?.touches ?? []).map(nameOf);
  const has = (level: Level): boolean => operations.some((one) => one.level === level);
  return {
    operation: PLAN,
    level: has("full") ? "full" : has("manage") ? "manage" : "monitor",
    summary: `${plan.steps.length} operations, one after another` +
      (plan.undoOnFailure ? "; if one fails, what was done is undone" : ""),
    targets: targets.length === 0 ? ["dom0"] : [...new Set(targets)],
    destructive: operations.some(({ destructive }) => destructive),
    undo: back === 0 ? "none" : back === changing.length ? "all" : "some",
  };
}

function nameOf(target: Target): string {
  return target ?? "dom0";
}

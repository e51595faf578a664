// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What the policy says of a plan: of each step, and of the whole. It is denied if one step is, and asks
 * if one does. A qube that an earlier step creates counts as there, with the tag that dom0 will give it:
 * so a VM that gets its own qubes may make one and start it.
 *
 * A step whose values come from other steps may have any target: here the best one that its VM has
 * counts. When its turn comes it is judged again with its real values, as is every step.
 *
 * Pure.
 *
 * @module
 */

import type { VmName } from "../../shared/protocol/vm_name.ts";
import { writeWords } from "../operations/spelling.ts";
import type { Recognised } from "../operations/recognise.ts";
import { bestDecision } from "../policy/all_decisions.ts";
import type { Decision } from "../policy/decide.ts";
import { decideOperation, type PolicyState } from "../policy/decide_operation.ts";
import type { Inventory, KnownQubes } from "../policy/qube_facts.ts";
import type { RuleOptions } from "../policy/rule.ts";
import { canBeApproved, isKnown, type Plan, PlanError, type PlanStep, unseenIn } from "./plan.ts";

export interface JudgedStep {
  readonly step: PlanStep;
  /** null: its values are not all known yet. */
  readonly recognised: Recognised | null;
  readonly decision: Decision;
}

export interface JudgedPlan {
  readonly plan: Plan;
  readonly steps: readonly JudgedStep[];
  /** Of the whole. */
  readonly decision: Decision;
}

/** @throws {PlanError} a step needs a person, who could not see what it would do */
export function judgePlan(vm: VmName, plan: Plan, state: PolicyState): JudgedPlan {
  const steps: JudgedStep[] = [];
  let { known } = state;
  for (const step of plan.steps) {
    const judged = judgeStep(vm, step, { ...state, known });
    if (judged.decision.action === "ask" && !canBeApproved(step)) throw cannotBeApproved(step);
    steps.push(judged);
    known = withMade(known, step, judged.decision);
  }
  return { plan, steps, decision: decisionOf(steps) };
}

function cannotBeApproved(step: PlanStep): PlanError {
  const [key = "", ...more] = unseenIn(step);
  const keys = [key, ...more].join(", ");
  return new PlanError(
    `step ${step.number}: a person has to confirm ${step.operation.name}, and ${keys} is known only ` +
      "when it runs: write it out, or send the step as a request of its own",
  );
}

function judgeStep(vm: VmName, step: PlanStep, state: PolicyState): JudgedStep {
  const { operation, known: values } = step;
  if (!isKnown(step)) return { step, recognised: null, decision: openDecision(vm, step, state) };
  const argvs = operation.steps.map((spelling) => writeWords(spelling, values));
  const recognised: Recognised = { operation, values, touches: operation.touches(values), argvs };
  return { step, recognised, decision: decideOperation(vm, recognised, state).decision };
}

function openDecision(vm: VmName, { operation }: PlanStep, state: PolicyState): Decision {
  const action = bestDecision(vm, operation, state);
  const because = action === "deny" ? "no possible target" : "the best possible target";
  return { action, because, options: {} };
}

/** Operations that create a qube: the parameter that names it, and the one that names its original. */
const MAKES: ReadonlyMap<string, { readonly made: string; readonly like: string | null }> = new Map(
  [
    ["vm.create", { made: "vm", like: null }],
    ["vm.clone", { made: "new_vm", like: "vm" }],
    ["vm.rename", { made: "new_vm", like: "vm" }],
  ],
);
const USUAL_CLASS = "AppVM";

/** As it will be when the step has run. */
function withMade(
  known: KnownQubes,
  { operation, known: values }: PlanStep,
  { options }: Decision,
): KnownQubes {
  const makes = MAKES.get(operation.name);
  const name = values.get(makes?.made ?? "");
  if (known.inventory === null || makes === undefined || name === undefined) return known;
  const { types, tagged } = known.inventory;
  if (types.has(String(name))) return known; // it will not be made
  const like = makes.like === null ? undefined : values.get(makes.like);
  const type = like === undefined
    ? String(values.get("class") ?? USUAL_CLASS)
    : types.get(String(like)) ?? USUAL_CLASS;
  const tags = [...tagged].filter(([tag, names]) =>
    tag === options.createTag || (like !== undefined && names.has(String(like)))
  ).map(([tag]) => tag);
  return withQube(known, known.inventory, String(name), type, new Set(tags));
}

function withQube(
  known: KnownQubes,
  { types, tagged }: Inventory,
  name: string,
  type: string,
  tags: ReadonlySet<string>,
): KnownQubes {
  const isNew = (qube: string): boolean => qube === name;
  return {
    inventory: {
      types: new Map([...types, [name, type]]),
      tagged: new Map(
        [...tagged].map(([tag, names]) => [tag, tags.has(tag) ? new Set([...names, name]) : names]),
      ),
    },
    tagsOf: (qube) => isNew(qube) ? tags : known.tagsOf(qube),
    typeOf: (qube) => isNew(qube) ? type : known.typeOf(qube),
  };
}

function decisionOf(steps: readonly JudgedStep[]): Decision {
  const decides = steps.find(({ decision }) => decision.action === "deny") ??
    steps.find(({ decision }) => decision.action === "ask") ?? steps[0];
  if (decides === undefined) throw new Error("bug: a plan without steps");
  const { action, because } = decides.decision;
  return {
    action,
    because: `step ${decides.step.number}: ${because}`,
    options: action === "deny" ? {} : optionsOf(steps.map(({ decision }) => decision.options)),
  };
}

/** The narrowest limits; the time is for all steps together. What a step creates is its own affair. */
function optionsOf(all: readonly RuleOptions[]): RuleOptions {
  const least = (values: readonly (number | undefined)[]): number | undefined => {
    const set = values.filter((value) => value !== undefined);
    return set.length === 0 ? undefined : Math.min(...set);
  };
  const times = all.map(({ timeoutSeconds }) => timeoutSeconds ?? Infinity);
  const timeoutSeconds = times.reduce((sum, time) => sum + time, 0);
  const memoryBytes = least(all.map((options) => options.memoryBytes));
  const expiresMs = least(all.map((options) => options.expiresMs));
  const notify = all.map((options) => options.notify).filter((one) => one !== undefined);
  return {
    ...Number.isFinite(timeoutSeconds) ? { timeoutSeconds } : {},
    ...memoryBytes === undefined ? {} : { memoryBytes },
    ...expiresMs === undefined ? {} : { expiresMs },
    ...notify.length === 0 ? {} : { notify: notify.includes(true) },
  };
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What a VM is told when it asks what it may do, or what dom0 would do with a request: only what it
 * may know. The answers for a target that it may not touch and for one that does not exist are equal
 * byte for byte.
 *
 * @module
 */

import { VERSION } from "../../shared/io/version.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import { previewOfRequest, type Show } from "../approval/preview.ts";
import { describeOperation, OPERATIONS } from "../operations/table.ts";
import { bestDecision } from "../policy/all_decisions.ts";
import { scopeTags } from "../policy/decide.ts";
import type { Judge, Judgement, JudgeOptions } from "../policy/judge.ts";
import { subjectOf } from "../policy/subject.ts";
import type { ReadOperation } from "../run/read_operation.ts";

export interface Informing {
  /** The version of this program, and what time it is here, as JSON. */
  about(): string;
  /** The operations of the table with what this VM may do with each, as JSON. */
  list(vm: VmName): Promise<string>;
  /** What would become of it, as JSON. */
  explain(vm: VmName, judgement: Judgement): Promise<string>;
}

export interface InformingOptions {
  readonly policy: JudgeOptions;
  readonly judge: Judge;
  readonly read: ReadOperation;
  /** How long a person has, where the rule says no other time. */
  readonly config: () => { readonly approvalExpiresMs: number };
}

export function createInforming(
  { policy, judge, read, config }: InformingOptions,
): Informing {
  /** When a request that waited from now on would be refused, for nobody answered. */
  const expiryOf = (ruleEndsMs: number): string => {
    const nowMs = policy.dateMs();
    return new Date(Math.min(nowMs + config().approvalExpiresMs, ruleEndsMs)).toISOString();
  };
  return {
    about: () =>
      JSON.stringify({ version: VERSION, time: new Date(policy.dateMs()).toISOString() }) + "\n",
    async list(vm) {
      const rules = policy.rules() ?? [];
      const known = await policy.facts(scopeTags(rules));
      const state = { rules, known, nowMs: policy.dateMs() };
      const all = [...OPERATIONS.values()].filter(({ isForOperator }) => !isForOperator);
      const listed = all.map((operation) => ({
        ...describeOperation(operation),
        decision: bestDecision(vm, operation, state),
      }));
      return JSON.stringify(listed) + "\n";
    },
    async explain(vm, judgement) {
      const { decision: { action, because, options: { expiresMs = Infinity } }, view, plan } =
        judgement;
      const { operation } = subjectOf(judgement);
      const steps = plan === null ? {} : {
        steps: plan.steps.map(({ step, decision }) => ({
          step: step.number,
          operation: step.operation.name,
          decision: decision.action,
        })),
      };
      if (action === "deny") {
        return JSON.stringify({ operation, decision: action, ...steps }) + "\n";
      }
      const { rows, later } = await previewOfRequest(judgement, read, showFor(vm, judge));
      return JSON.stringify({
        operation,
        decision: action,
        ...steps,
        // Only a VM that may see everything learns where a rule stands.
        ...view === null && plan === null ? { because } : {},
        ...rows.length > 0 ? { preview: rows } : {},
        ...later === undefined ? {} : { later },
        ...action === "ask" ? { expires: expiryOf(expiresMs) } : {},
      }) + "\n";
    },
  };
}

/** The part of what was read that this VM could read itself. */
function showFor(vm: VmName, judge: Judge): Show {
  return async ({ reads, values }, read) => {
    const pairs = [...values].map(([key, value]) => [key, String(value)] as const);
    const { recognised, decision, view } = await judge(vm, { mode: "op", name: reads, pairs });
    if (decision.action !== "allow" || recognised === null) return null;
    return view === null ? read : recognised.operation.result.keepVisible(read, view);
  };
}

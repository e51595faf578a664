// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The one call that decides about a request: what operation it is, what the rules say, and what of
 * the result its VM may see. Facts about qubes are read only where a rule needs them, so a VM that may
 * do everything waits for no tool.
 *
 * @module
 */

import { isAboutPaths, type Operation } from "../operations/operation.ts";
import type { Recognised } from "../operations/recognise.ts";
import { recogniseNamed, recogniseScript, recogniseWords } from "../operations/recognise.ts";
import { ParameterError } from "../operations/parameter.ts";
import { SHELL } from "../operations/table.ts";
import { parseUtf8 } from "../../shared/protocol/bytes.ts";
import type { Command } from "../../shared/protocol/command.ts";
import { ProtocolError } from "../../shared/protocol/refusal.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import { hasExpired, scopeTags } from "./decide.ts";
import { type JudgedPlan, judgePlan } from "../plans/judge_plan.ts";
import { parsePlan, type Plan, PlanError } from "../plans/plan.ts";
import { decideOperation, denied, type Judged } from "./decide_operation.ts";
import type { KnownQubes } from "./qube_facts.ts";
import { coversPaths, type Rule } from "./rule.ts";
import { rulesAbout } from "./rules_about.ts";

export interface Judgement extends Judged {
  /** null: a plan, a script, or words that are no operation. */
  readonly recognised: Recognised | null;
  /** null: it is no plan. */
  readonly plan: JudgedPlan | null;
  /** Asks again, by the rules and the qubes of that moment. */
  readonly again: () => Promise<Judgement>;
}

export interface JudgeOptions {
  /** In force now; null: they could not be read, and nothing is allowed. */
  readonly rules: () => readonly Rule[] | null;
  readonly facts: (tags: ReadonlySet<string>) => Promise<KnownQubes>;
  readonly dateMs: () => number;
}

/** What comes on its stdin: nothing, data that is all there before it runs, or a live stream. */
export type Data = "none" | "whole" | "live";

/** What the policy can be asked about. */
export type JudgedForm = Command;

/**
 * @throws {ParameterError} it names an unknown operation, or wrong values
 * @throws {PlanError} it is no plan
 */
export type Judge = (
  vm: VmName,
  command: JudgedForm,
  data?: Data,
) => Promise<Judgement>;

export function createJudge({ rules, facts, dateMs }: JudgeOptions): Judge {
  const judge = async (vm: VmName, recognised: Recognised | null): Promise<Judgement> => {
    const again = (): Promise<Judgement> => judge(vm, recognised);
    const inForce = rules();
    if (inForce === null) {
      return { recognised, plan: null, again, ...denied("the policy cannot be read") };
    }
    const nowMs = dateMs();
    const isKnown = !asksForFacts(inForce, vm, recognised?.operation ?? null, nowMs);
    const known = isKnown ? NOBODY_ASKS : await facts(scopeTags(inForce));
    const state = { rules: inForce, known, nowMs };
    return { recognised, plan: null, again, ...decideOperation(vm, recognised, state) };
  };
  const judgeWhole = async (vm: VmName, plan: Plan): Promise<Judgement> => {
    const again = async (): Promise<Judgement> => {
      try {
        return await judgeWhole(vm, plan);
      } catch (error) {
        if (!(error instanceof PlanError)) throw error;
        return { recognised: null, plan: null, again, ...denied(error.message) };
      }
    };
    const inForce = rules() ?? [];
    const nowMs = dateMs();
    const asks = plan.steps.some(({ operation }) => asksForFacts(inForce, vm, operation, nowMs));
    const known = asks ? await facts(scopeTags(inForce)) : NOBODY_ASKS;
    const judged = judgePlan(vm, plan, { rules: inForce, known, nowMs });
    // What may be seen of a step's result is decided when its turn comes.
    return { recognised: null, plan: judged, again, decision: judged.decision, view: null };
  };
  return async (vm, command, data = "none") => {
    if (command.mode !== "plan") return await judge(vm, recogniseWith(command, data));
    if (data !== "none") throw new PlanError("a plan takes no data");
    return await judgeWhole(vm, parsePlan(command.text));
  };
}

/**
 * Data on stdin may change what words do, so words that are an operation are that one only if it is
 * said to read data, or there is none.
 */
function recogniseWith(
  command: Exclude<JudgedForm, { readonly mode: "plan" }>,
  data: Data,
): Recognised | null {
  const recognised = recognise(command);
  const takes = recognised?.operation.data ?? "may";
  if (takes === "may" || data === (takes === "must" ? "whole" : "none")) return recognised;
  if (command.mode !== "op") return null;
  throw new ParameterError(`${command.name} ${wrongData(takes, data)}`);
}

function wrongData(takes: "none" | "must", data: Data): string {
  if (takes === "none") return "takes no data";
  return data === "none" ? "needs data" : "needs data that is all there before it runs: not --live";
}

/** Where the decision does not depend on the qubes. */
const NOBODY_ASKS: KnownQubes = {
  inventory: { types: new Map(), tagged: new Map() },
  tagsOf: () => new Set(),
  typeOf: () => "",
};

function recognise(command: Exclude<JudgedForm, { readonly mode: "plan" }>): Recognised | null {
  if (command.mode === "op") {
    return recogniseNamed(command.name, command.pairs.map(([key, value]) => `${key}=${value}`));
  }
  if (command.mode === "argv") return recogniseWords(command.argv);
  try {
    return recogniseScript(parseUtf8(command.script));
  } catch (error) {
    if (error instanceof ProtocolError) return null; // no UTF-8: bash may make words of it
    throw error;
  }
}

/**
 * Whether the decision needs tags, classes or names of qubes: not if the first rule for this VM and
 * this operation applies to every target.
 */
export function asksForFacts(
  rules: readonly Rule[],
  vm: VmName,
  operation: Operation | null,
  nowMs: number,
): boolean {
  const asked = { vm, operation: operation?.name ?? SHELL, level: operation?.level ?? "full" };
  for (const rule of rulesAbout(rules, asked)) {
    const { source, target, options } = rule;
    if (hasExpired(options, nowMs)) continue;
    if (source.kind === "tag" || source.kind === "type") return true;
    const isAny = operation !== null && isAboutPaths(operation)
      ? coversPaths(rule)
      : target.kind === "any";
    if (isAny) return false;
    // dom0 is the only target of the shell.
    if (operation !== null) return true;
    if (target.kind === "none") return false;
  }
  return false;
}

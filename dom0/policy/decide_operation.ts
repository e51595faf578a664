// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What becomes of one request of a VM: allowed, asked or denied, and what of its result the VM gets
 * to see. For a qube to which it may not do an operation, a VM gets the same answer as for one
 * that does not exist.
 *
 * @module
 */

import { createView, type View } from "../operations/view.ts";
import type { Recognised } from "../operations/recognise.ts";
import { isAboutPaths } from "../operations/operation.ts";
import { SHELL } from "../operations/table.ts";
import { ParameterError, parseQube, type Qube } from "../operations/parameter.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import { decide, decider, type Decision, scopeTags, type Trace } from "./decide.ts";
import type { KnownQubes } from "./qube_facts.ts";
import type { Question, Rule } from "./rule.ts";
import { rulesAbout } from "./rules_about.ts";

export interface Judged {
  readonly decision: Decision;
  /** null: it may see every qube. */
  readonly view: View | null;
}

export interface PolicyState {
  readonly rules: readonly Rule[];
  readonly known: KnownQubes;
  readonly nowMs: number;
}

/** No rule changes it. */
const FOR_OPERATOR = "only dom0's operator may do it, not a VM";

/** @param recognised null for a script, or words that are no operation */
export function decideOperation(
  vm: VmName,
  recognised: Recognised | null,
  { rules, known, nowMs }: PolicyState,
  trace: Trace | null = null,
): Judged {
  const { name, level } = recognised?.operation ?? { name: SHELL, level: "full" };
  const asked: Omit<Question, "targets"> = { vm, operation: name, level };
  // For an explanation, every rule is reported.
  const about = trace === null ? rulesAbout(rules, asked) : rules;
  if (recognised === null) {
    return {
      decision: decide(about, { ...asked, targets: [null] }, known, nowMs, trace),
      view: null,
    };
  }
  const { operation, values, touches } = recognised;
  if (operation.isForOperator) return denied(FOR_OPERATOR);
  const tag = /^vm\.tags\.(add|remove)$/.test(operation.name) ? values.get("tag") : undefined;
  if (tag !== undefined && scopeTags(rules).has(String(tag))) {
    return denied(`policy rests on the tag ${tag}: only dom0 changes it`);
  }
  const decideTarget = decider(about, asked, known, nowMs);
  const cannotHide = known.inventory === null && isScoped(decideTarget);
  if (!operation.lists) {
    const decision = decide(about, { ...asked, targets: touches }, known, nowMs, trace);
    if (decision.action === "deny") return { decision, view: null };
    // What is in a file is what the rule is about: nothing of it is hidden.
    if (isAboutPaths(operation)) return { decision, view: null };
    if (cannotHide) return denied("the list of qubes could not be read");
    return { decision, view: viewOf(known, decideTarget, decision, recognised) };
  }
  if (cannotHide) return denied("the list of qubes could not be read");
  // A list is about all qubes: it is given if one of them may be listed, and has no other in it.
  const decisions = allQubes(known).map((qube) => decideTarget(qube));
  const best = decisions.find(({ action }) => action === "allow") ??
    decisions.find(({ action }) => action === "ask") ??
    decide(about, { ...asked, targets: [null] }, known, nowMs, trace);
  return { decision: best, view: viewOf(known, decideTarget, best, recognised) };
}

/** Whether it may do this to some qubes only: then the names of the others must be known, to hide them. */
function isScoped(decideTarget: (target: Qube) => Decision): boolean {
  return decideTarget(parseQube("a-qube-that-nobody-has")).action === "deny";
}

export function denied(because: string): Judged {
  return { decision: { action: "deny", because, options: {} }, view: null };
}

/** dom0 first. */
export function allQubes({ inventory }: KnownQubes): readonly Qube[] {
  const names = [...inventory?.types.keys() ?? []].filter((name) => name !== "dom0");
  return [null, ...names.map(qubeOrNull)];
}

/** A name from Qubes is a valid name; any other belongs to no qube. */
function qubeOrNull(name: string): Qube {
  try {
    return parseQube(name);
  } catch (error) {
    if (error instanceof ParameterError) return null;
    throw error;
  }
}

/** Sees the qubes to which it may do the same without more questions than this time. */
function viewOf(
  known: KnownQubes,
  decideTarget: (target: Qube) => Decision,
  { action }: Decision,
  { operation, values }: Recognised,
): View | null {
  const [hidden, visible] = [new Set<string>(), new Set<string>()];
  for (const qube of allQubes(known)) {
    const other = decideTarget(qube).action;
    const mayNotSee = other === "deny" || (other === "ask" && action === "allow");
    (mayNotSee ? hidden : visible).add(qube ?? "dom0");
  }
  const words = [...values].filter(([key]) => operation.parameters.get(key)?.qubesIn === undefined)
    .map(([, value]) => String(value));
  const said = [...hidden].filter((name) => words.some((word) => word.includes(name)));
  return hidden.size === 0 ? null : createView({ hidden, visible, said: new Set(said) });
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** What a VM may do with each operation, on the best target that it has. @module */

import { isAboutPaths, type Operation } from "../operations/operation.ts";
import { parsePath, type Target } from "../operations/parameter.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import { decider } from "./decide.ts";
import { allQubes, type PolicyState } from "./decide_operation.ts";
import type { Action, Rule } from "./rule.ts";
import { rulesAbout } from "./rules_about.ts";

const BEST_FIRST: readonly Action[] = ["allow", "ask", "deny"];

export function bestDecision(
  vm: VmName,
  operation: Operation,
  { rules, known, nowMs }: PolicyState,
): Action {
  const { name, level } = operation;
  const asked = { vm, operation: name, level };
  const about = rulesAbout(rules, asked);
  const decideTarget = decider(about, asked, known, nowMs);
  const targets = isAboutPaths(operation) ? somePaths(about) : allQubes(known);
  const actions = new Set(targets.map((target) => decideTarget(target).action));
  return BEST_FIRST.find((action) => actions.has(action)) ?? "deny";
}

/** One that each rule is about, and one that none names. */
function somePaths(rules: readonly Rule[]): readonly Target[] {
  const named = rules.flatMap(({ target }) =>
    target.kind === "path" && target.path !== "" ? [target.path] : []
  );
  return [...named, parsePath("/a-path-that-nobody-has")];
}

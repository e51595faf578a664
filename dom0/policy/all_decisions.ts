// SPDX-License-Identifier: GPL-2.0-or-later
/** What a VM may do with each operation, on the best target that it has. @module */

import type { Operation } from "../operations/operation.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import { decider } from "./decide.ts";
import { allQubes, type PolicyState } from "./decide_operation.ts";
import type { Action } from "./rule.ts";
import { rulesAbout } from "./rules_about.ts";

const BEST_FIRST: readonly Action[] = ["allow", "ask", "deny"];

export function bestDecision(
  vm: VmName,
  { name, level }: Operation,
  { rules, known, nowMs }: PolicyState,
): Action {
  const asked = { vm, operation: name, level };
  const decideTarget = decider(rulesAbout(rules, asked), asked, known, nowMs);
  const actions = new Set(allQubes(known).map((qube) => decideTarget(qube).action));
  return BEST_FIRST.find((action) => actions.has(action)) ?? "deny";
}

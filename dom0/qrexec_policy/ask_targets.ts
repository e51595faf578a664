// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Which targets a person may choose from when a rule says "ask": not only that rule's, but all
 * that any rule for this service and caller lets through (collect_targets_for_ask in parser.py).
 *
 * @module
 */
import { Refused } from "./policy_error.ts";
import type { Rule } from "./rule.ts";
import { findDomain, nameOf, type SystemInfo } from "./system_info.ts";
import { defaultDispvm, expand } from "./token_match.ts";

/** @param fitting the rules that fit the call but for its target, in order */
export function askTargets(
  fitting: readonly Rule[],
  system: SystemInfo,
  source: string,
): readonly string[] {
  if (findDomain(system, source) === undefined) {
    throw new Refused(`the engine fails: no VM "${source}"`);
  }
  const targets = new Set<string>();
  // From the last to the first: an earlier rule has the last word on a target.
  for (const { action, target } of [...fitting].reverse()) {
    const redirect = action.kind === "deny" ? undefined : action.target;
    for (const one of expand(system, redirect ?? target)) {
      const name = readable(system, one);
      if (action.kind === "deny") targets.delete(name);
      else targets.add(name);
    }
  }
  if (targets.delete("@dispvm")) {
    const template = defaultDispvm(system, source);
    if (template !== undefined) targets.add(`@dispvm:${template}`);
  }
  if (targets.delete("@adminvm")) targets.add("dom0");
  targets.delete(source);
  return [...targets].filter((target) => {
    const domain = findDomain(system, target.replace(/^@dispvm:/, ""));
    if (domain === undefined) throw new Refused(`the engine fails: no VM "${target}"`);
    return !domain.internal;
  });
}

/** People are shown names. */
function readable(system: SystemInfo, target: string): string {
  return target.startsWith("@dispvm:")
    ? `@dispvm:${nameOf(system, target.slice("@dispvm:".length))}`
    : nameOf(system, target);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Warnings about valid rules: one that is never reached, an allow that stands before the deny it makes
 * void, a qube or a tag that does not exist, an operation that no VM may do.
 *
 * @module
 */

import { OPERATIONS } from "../operations/table.ts";
import {
  coversPaths,
  type OperationPattern,
  type QubePattern,
  type Rule,
  type TargetPattern,
} from "./rule.ts";

export interface Warning {
  readonly where: string;
  readonly text: string;
}

/** The qubes and tags that exist now; null: not known, and not checked. */
export interface Inventory {
  readonly qubes: ReadonlySet<string>;
  readonly tags: ReadonlySet<string>;
}

export function checkPolicy(
  rules: readonly Rule[],
  inventory: Inventory | null,
): readonly Warning[] {
  const warnings: Warning[] = [];
  for (const [index, rule] of rules.entries()) {
    const { where } = rule;
    const before = rules.slice(0, index).find((earlier) => covers(earlier, rule));
    if (before !== undefined) warnings.push({ where, text: hiddenBy(before, rule) });
    if (isOnlyForOperator(rule.operation)) {
      warnings.push({ where, text: "this rule has no effect: only dom0's operator may do that" });
    }
    if (inventory === null) continue;
    for (const pattern of [rule.source, rule.target]) {
      if (pattern.kind === "one" && !inventory.qubes.has(pattern.name)) {
        warnings.push({ where, text: `there is no qube ${pattern.name}` });
      }
      if (pattern.kind === "tag" && !inventory.tags.has(pattern.tag)) {
        warnings.push({ where, text: `no qube has the tag ${pattern.tag}` });
      }
    }
  }
  return warnings;
}

function isOnlyForOperator(pattern: OperationPattern): boolean {
  return pattern.kind === "one" && (OPERATIONS.get(pattern.name)?.isForOperator ?? false);
}

function hiddenBy(before: Rule, rule: Rule): string {
  const wider = before.action !== "deny" && rule.action === "deny";
  return wider
    ? `this deny has no effect: ${before.where} says ${before.action} to all of it first`
    : `this rule is never reached: ${before.where} decides first`;
}

/** Whatever the later rule matches, the earlier one matches as well, now and always. */
function covers(earlier: Rule, later: Rule): boolean {
  return earlier.options.expiresMs === undefined &&
    coversOperation(earlier.operation, later.operation) &&
    coversQube(earlier.source, later.source) && coversTarget(earlier, later.target);
}

function coversOperation(wide: OperationPattern, narrow: OperationPattern): boolean {
  if (wide.kind === "any") return true;
  if (narrow.kind === "any") return false;
  const covered = namesOf(narrow);
  const covering = new Set(namesOf(wide));
  return covered.every((name) => covering.has(name));
}

/** All of them; "shell" counts as an operation of level full. */
function namesOf(pattern: Exclude<OperationPattern, { kind: "any" }>): readonly string[] {
  switch (pattern.kind) {
    case "one":
      return [pattern.name];
    case "family":
      return [...OPERATIONS.keys()].filter((name) => name.startsWith(pattern.prefix));
    case "level": {
      const names = [...OPERATIONS.values()].filter(({ level }) => level === pattern.level)
        .map(({ name }) => name);
      return pattern.level === "full" ? [...names, "shell"] : names;
    }
    default:
      return pattern satisfies never;
  }
}

function coversTarget(wide: Rule, narrow: TargetPattern): boolean {
  const { target } = wide;
  if (narrow.kind !== "path") return target.kind !== "path" && coversQube(target, narrow);
  if (target.kind !== "path") return coversPaths(wide);
  const isSame = target.path === narrow.path && (target.below || !narrow.below);
  return isSame || (target.below && narrow.path.startsWith(`${target.path}/`));
}

function coversQube(wide: QubePattern, narrow: QubePattern): boolean {
  return wide.kind === "any" || JSON.stringify(wide) === JSON.stringify(narrow);
}

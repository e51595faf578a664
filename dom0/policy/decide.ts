// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Who may do what: of the rules, the first that matches counts. No match is deny. Deny is also the
 * answer if a rule depends on a fact about a qube that cannot be learned: skipping the rule might reach
 * one that allows more.
 *
 * @module
 */

import type { VmName } from "../../shared/protocol/vm_name.ts";
import { isPath, type Target } from "../operations/parameter.ts";
import type { Dom0Path } from "../../shared/protocol/dom0_path.ts";
import {
  type Action,
  coversPaths,
  type PathPattern,
  type QubeFacts,
  type QubePattern,
  type Question,
  type Rule,
  type RuleOptions,
} from "./rule.ts";

export interface Decision {
  readonly action: Action;
  /** The rule that decided, as "30-work.policy:2"; otherwise why it is deny. */
  readonly because: string;
  readonly options: RuleOptions;
}

/** A rule that was looked at, and why it did not count; null: it decided. */
export interface Considered {
  readonly rule: Rule;
  readonly passedOver: string | null;
}

/** Told of each rule that is looked at, for "policy explain". */
export type Trace = (target: Target, considered: Considered) => void;

const STRICTNESS: Readonly<Record<Action, number>> = { allow: 0, ask: 1, deny: 2 };

/** With several targets each is decided about, and the strictest decision counts. */
export function decide(
  rules: readonly Rule[],
  question: Question,
  facts: QubeFacts,
  nowMs: number,
  trace: Trace | null = null,
): Decision {
  const decideTarget = decider(rules, question, facts, nowMs, trace);
  return question.targets.map(decideTarget)
    .reduce(stricter, { action: "allow", because: "", options: {} });
}

/** What one VM may do with one operation: a function of the target. */
export function decider(
  rules: readonly Rule[],
  question: Omit<Question, "targets">,
  facts: QubeFacts,
  nowMs: number,
  trace: Trace | null = null,
): (target: Target) => Decision {
  // A rule that does not fit the VM that asks fits no target: that is checked once.
  const fitting: Looked[] = [];
  const looked: Looked[] = [];
  for (const rule of rules) {
    const fit = fitsAsked(rule, question, facts, nowMs);
    if (fit.kind !== "no") fitting.push({ rule, fit });
    if (trace !== null) looked.push({ rule, fit });
  }
  return (target) => {
    for (const { rule, fit } of fitting) {
      const both = fit.kind === "yes" ? fitsTarget(rule, target, facts) : fit;
      if (both.kind === "no") continue;
      if (trace !== null) traceUntil(looked, rule, target, facts, trace);
      const { action, where, options } = rule;
      if (both.kind === "yes") return { action, because: where, options };
      return { action: "deny", because: `${where}: ${both.why}`, options: {} };
    }
    if (trace !== null) traceUntil(looked, null, target, facts, trace);
    return { action: "deny", because: "no rule", options: {} };
  };
}

interface Looked {
  readonly rule: Rule;
  readonly fit: Fit;
}

/** Tells of each rule up to the one that decided. */
function traceUntil(
  looked: readonly Looked[],
  decided: Rule | null,
  target: Target,
  facts: QubeFacts,
  trace: Trace,
): void {
  for (const { rule, fit } of looked) {
    if (rule === decided) return trace(target, { rule, passedOver: null });
    const why = fit.kind === "yes" ? fitsTarget(rule, target, facts) : fit;
    trace(target, { rule, passedOver: why.kind === "yes" ? null : why.why });
  }
}

/** Of two that are equally strict the first is named, and the narrower limits count. */
function stricter(one: Decision, other: Decision): Decision {
  if (STRICTNESS[other.action] > STRICTNESS[one.action]) return other;
  if (one.because === "") return other;
  return { ...one, options: narrower(one.options, other.options) };
}

type Fit =
  | { readonly kind: "yes" }
  | { readonly kind: "no"; readonly why: string }
  | { readonly kind: "unknown"; readonly why: string };

const YES: Fit = { kind: "yes" };
const OTHER_OPERATION: Fit = { kind: "no", why: "another operation" };
const EXPIRED: Fit = { kind: "no", why: "it has expired" };
const OTHER = {
  source: { kind: "no", why: "another source" },
  target: { kind: "no", why: "another target" },
} as const satisfies Readonly<Record<string, Fit>>;

/** Such a rule is passed over. */
export function hasExpired({ expiresMs }: RuleOptions, nowMs: number): boolean {
  return expiresMs !== undefined && nowMs > expiresMs;
}

/** Everything but the target; the cheap checks first. */
function fitsAsked(
  { operation, source, options }: Rule,
  question: Omit<Question, "targets">,
  facts: QubeFacts,
  nowMs: number,
): Fit {
  if (!fitsOperation(operation, question)) return OTHER_OPERATION;
  if (hasExpired(options, nowMs)) return EXPIRED;
  return fitsQube(source, question.vm, facts, "source");
}

/** Who asks, and for what. */
export function fitsOperation(
  pattern: Rule["operation"],
  { operation, level }: Omit<Question, "targets" | "vm">,
): boolean {
  switch (pattern.kind) {
    case "any":
      return true;
    case "level":
      return pattern.level === level;
    case "family":
      return operation.startsWith(pattern.prefix);
    case "one":
      return pattern.name === operation;
    default:
      return pattern satisfies never;
  }
}

function fitsTarget(rule: Rule, target: Target, facts: QubeFacts): Fit {
  const { target: pattern } = rule;
  if (target === null || !isPath(target)) {
    return pattern.kind === "path" ? OTHER.target : fitsQube(pattern, target, facts, "target");
  }
  if (pattern.kind === "path") return isWithin(pattern, target) ? YES : OTHER.target;
  return coversPaths(rule) ? YES : OTHER.target;
}

function isWithin({ path, below }: PathPattern, target: Dom0Path): boolean {
  return target === path || (below && target.startsWith(`${path}/`));
}

function fitsQube(
  pattern: QubePattern,
  qube: VmName | null,
  facts: QubeFacts,
  which: "source" | "target",
): Fit {
  const no = OTHER[which];
  if (pattern.kind === "any") return YES;
  if (qube === null) return pattern.kind === "none" ? YES : no;
  switch (pattern.kind) {
    case "none":
      return no;
    case "one":
      return pattern.name === qube ? YES : no;
    case "tag": {
      const tags = facts.tagsOf(qube);
      if (tags === null) return { kind: "unknown", why: `the tags of ${qube} are not known` };
      return tags.has(pattern.tag) ? YES : no;
    }
    case "type": {
      const type = facts.typeOf(qube);
      if (type === null) return { kind: "unknown", why: `the class of ${qube} is not known` };
      return type === pattern.type ? YES : no;
    }
    default:
      return pattern satisfies never;
  }
}

function narrower(one: RuleOptions, other: RuleOptions): RuleOptions {
  const least = (key: "timeoutSeconds" | "memoryBytes" | "expiresMs"): RuleOptions => {
    const values = [one[key], other[key]].filter((value) => value !== undefined);
    return values.length === 0 ? {} : { [key]: Math.min(...values) };
  };
  return {
    ...other,
    ...one,
    ...least("timeoutSeconds"),
    ...least("memoryBytes"),
    ...least("expiresMs"),
  };
}

const tagsOfRules = new WeakMap<readonly Rule[], ReadonlySet<string>>();

/** The tags on which the rights of this VM rest: it must not be able to change them. */
export function scopeTags(rules: readonly Rule[]): ReadonlySet<string> {
  const known = tagsOfRules.get(rules) ?? readScopeTags(rules);
  tagsOfRules.set(rules, known); // asked with each request, and rules change seldom
  return known;
}

function readScopeTags(rules: readonly Rule[]): ReadonlySet<string> {
  const tags = new Set<string>();
  for (const { source, target, options } of rules) {
    if (source.kind === "tag") tags.add(source.tag);
    if (target.kind === "tag") tags.add(target.tag);
    if (options.createTag !== undefined) tags.add(options.createTag);
  }
  return tags;
}

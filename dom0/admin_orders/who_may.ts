// SPDX-License-Identifier: GPL-2.0-or-later
/** What rules mean for a VM, level by level, and what other rules would mean instead. Pure. @module */

import type { VmName } from "../../shared/protocol/vm_name.ts";
import { type Level, LEVELS } from "../operations/operation.ts";
import { OPERATIONS, SHELL } from "../operations/table.ts";
import type { KnownQubes } from "../policy/qube_facts.ts";
import type { OperationPattern, QubePattern, Rule } from "../policy/rule.ts";

export type Column = Level | "shell";

/** One rule that decides, as a type so that it is plain JSON. */
export type Verdict = {
  readonly action: string;
  readonly where: string;
  /** "@tag:ai"; in front of it the operation, where it is not the whole level. */
  readonly target: string;
};

/** By level; nothing but denials: empty. */
export type WhatMay = Readonly<Record<Column, readonly Verdict[]>>;

export type Effect = {
  readonly vm: string;
  readonly column: Column;
  readonly before: readonly Verdict[];
  readonly after: readonly Verdict[];
};

const COLUMNS: readonly Column[] = [...LEVELS, SHELL];

export function whatMay(vm: VmName, rules: readonly Rule[], known: KnownQubes): WhatMay {
  const of = (column: Column): readonly Verdict[] => verdicts(vm, column, rules, known);
  return { monitor: of("monitor"), manage: of("manage"), full: of("full"), shell: of(SHELL) };
}

/** Where the answer is another one, for each of these VMs; where only the rule moved, it is the same. */
export function effectOf(
  vms: readonly VmName[],
  before: readonly Rule[],
  after: readonly Rule[],
  known: KnownQubes,
): readonly Effect[] {
  return vms.flatMap((vm) => {
    const [old, fresh] = [whatMay(vm, before, known), whatMay(vm, after, known)];
    return COLUMNS.filter((column) => words(old[column]) !== words(fresh[column]))
      .map((column) => ({ vm, column, before: old[column], after: fresh[column] }));
  });
}

function words(verdicts: readonly Verdict[]): string {
  return verdicts.map(({ action, target }) => `${action} ${target}`).join("\n");
}

/** The rules that decide for this VM at this level, up to the one after which none does. */
function verdicts(
  vm: VmName,
  column: Column,
  rules: readonly Rule[],
  known: KnownQubes,
): readonly Verdict[] {
  const found: Verdict[] = [];
  for (const rule of rules) {
    const covered = coverage(rule.operation, column);
    if (covered === "none" || !isAbout(rule.source, vm, known)) continue;
    const [operation = "", , target = "*"] = rule.text.split(" ");
    const what = covered === "some" ? `${operation} ` : "";
    found.push({ action: rule.action, where: rule.where, target: `${what}${target}` });
    if (covered === "all" && rule.target.kind === "any" && rule.options.expiresMs === undefined) {
      break;
    }
  }
  return found.some(({ action }) => action !== "deny") ? found : [];
}

function coverage(pattern: OperationPattern, column: Column): "all" | "some" | "none" {
  switch (pattern.kind) {
    case "any":
      return "all";
    case "level":
      return pattern.level === column || (pattern.level === "full" && column === SHELL)
        ? "all"
        : "none";
    case "family":
      return column !== SHELL && hasLevel(({ name }) => name.startsWith(pattern.prefix), column)
        ? "some"
        : "none";
    case "one":
      if (column === SHELL) return pattern.name === SHELL ? "all" : "none";
      return hasLevel(({ name }) => name === pattern.name, column) ? "some" : "none";
    default:
      return pattern satisfies never;
  }
}

function hasLevel(is: (operation: { readonly name: string }) => boolean, level: Column): boolean {
  return [...OPERATIONS.values()].some((operation) => operation.level === level && is(operation));
}

function isAbout(source: QubePattern, vm: VmName, { tagsOf, typeOf }: KnownQubes): boolean {
  switch (source.kind) {
    case "any":
      return true;
    case "none":
      return false;
    case "one":
      return source.name === vm;
    case "tag":
      return tagsOf(vm)?.has(source.tag) ?? false;
    case "type":
      return typeOf(vm) === source.type;
    default:
      return source satisfies never;
  }
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Rules of a firewall on the list of staged changes. A rule has no name but its place and what it says:
 * one that goes must still say the same at its place, one that comes must not be there yet.
 *
 * @module
 */

import type { JsonValue } from "../../operations/operation.ts";
import { shownValue } from "../channel/shown_value.ts";
import type { StagedChange } from "./staged_change.ts";

export const RULE_ADD = "vm.firewall.add";
export const RULE_REMOVE = "vm.firewall.remove";

/** The fields of a rule that a person fills in, as vm.firewall.add takes them. */
export const RULE_FIELDS = [
  "action",
  "dsthost",
  "proto",
  "dstports",
  "icmptype",
  "specialtarget",
  "comment",
] as const;

type Fields = Readonly<Record<string, string>>;

export function ruleText(rule: JsonValue): string {
  return shownValue(rule);
}

/** @param at the number of the rule before which it goes; "" for the end */
export function addedRule(vm: string, rule: Fields, at: string): StagedChange {
  const given = Object.fromEntries(
    RULE_FIELDS.map((name) => [name, rule[name] ?? ""]).filter(([, value]) => value !== ""),
  );
  const where = at === "" ? {} : { before: at };
  return {
    operation: RULE_ADD,
    qube: vm,
    values: { vm, ...where, ...given },
    setting: `firewall rule ${ruleText(given)}`,
    before: "absent",
    after: at === "" ? "added at the end" : `added before ${at}`,
  };
}

export function removedRule(vm: string, number: string, text: string): StagedChange {
  return {
    operation: RULE_REMOVE,
    qube: vm,
    values: { vm, rule_no: number },
    setting: `firewall rule ${number}`,
    before: text,
    after: "removed",
  };
}

/** What the list calls the state of the rule now, from all rules as dom0 reads them. */
export function shownRule({ operation, values }: StagedChange, rules: JsonValue): string {
  const all = Array.isArray(rules) ? rules : [];
  if (operation === RULE_ADD) {
    const wanted = sameAs(values);
    return all.some((rule) => sameAs(rule) === wanted) ? "present" : "absent";
  }
  const rule = all[Number(values["rule_no"])];
  return rule === undefined ? "absent" : ruleText(rule);
}

/**
 * The list with one change more. A place of a rule means something only as long as nothing before it
 * changed: so they go from the last place to the first, and what goes at the end goes first of all.
 */
export function withChange(
  staged: readonly StagedChange[],
  change: StagedChange,
): readonly StagedChange[] {
  if (!isRule(change)) return [...staged, change];
  const rules = staged.filter(isRule);
  // At one place the later is put in first, and so stands after the earlier.
  const all = placeOf(change) === Infinity ? [...rules, change] : [change, ...rules];
  const rank = ({ operation }: StagedChange): number => operation === RULE_REMOVE ? 0 : 1;
  return [
    ...staged.filter((one) => !isRule(one)),
    ...all.toSorted((one, other) =>
      compare(placeOf(other), placeOf(one)) || rank(one) - rank(other)
    ),
  ];
}

function isRule({ operation }: StagedChange): boolean {
  return operation === RULE_ADD || operation === RULE_REMOVE;
}

function placeOf({ values }: StagedChange): number {
  return Number(values["rule_no"] ?? values["before"] ?? Infinity);
}

function compare(one: number, other: number): number {
  return one === other ? 0 : one < other ? -1 : 1;
}

/** Equal for what is written to add a rule and what is listed of it. */
function sameAs(rule: JsonValue): string {
  const fields = typeof rule === "object" && rule !== null && !Array.isArray(rule)
    ? rule as Readonly<Record<string, JsonValue>>
    : {};
  const host = String(fields["dsthost"] ?? fields["dst4"] ?? fields["dst6"] ?? "");
  const ports = String(fields["dstports"] ?? "");
  return JSON.stringify([
    fields["action"],
    host.replace(/\/(32|128)$/, ""),
    fields["proto"] ?? "",
    ports.replace(/^(\d+)-\1$/, "$1"),
    String(fields["icmptype"] ?? ""),
    fields["specialtarget"] ?? "",
    fields["comment"] ?? "",
  ]);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Firewall rules on the list of staged changes. A rule is known only by its place and its text: one to
 * be removed must still have the same text at its place, one to be added must not be there yet.
 *
 * @module
 */

import { RULE_ADD, RULE_REMOVE } from "../../admin_orders/setting_text.ts";
import { shownValue } from "../../operations/shown_value.ts";
import type { StagedChange } from "./staged_change.ts";

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
    setting: `firewall rule ${shownValue(given)}`,
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
  // Of several at one place the later is inserted first, and so ends up after the earlier.
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

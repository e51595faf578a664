// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Of all rules those that can decide about one VM and one operation, in their order. Which of them
 * matches first, and so every decision, is the same as with all rules: left out are rules about other
 * operations or other VMs, and those that can never be reached.
 *
 * They are selected once for each set of rules, so that a request does not pay for rules about others.
 *
 * @module
 */

import { fitsOperation } from "./decide.ts";
import { coversPaths, type Question, type Rule } from "./rule.ts";

type Asked = Omit<Question, "targets">;

const picked = new WeakMap<readonly Rule[], Map<string, readonly Rule[]>>();

/** @param rules as they were read: never changed in place */
export function rulesAbout(rules: readonly Rule[], asked: Asked): readonly Rule[] {
  const known = picked.get(rules) ?? new Map<string, readonly Rule[]>();
  picked.set(rules, known);
  const key = `${asked.vm} ${asked.operation} ${asked.level}`;
  const about = known.get(key) ?? pick(rules, asked);
  known.set(key, about);
  return about;
}

function pick(rules: readonly Rule[], asked: Asked): readonly Rule[] {
  const about: Rule[] = [];
  const said = new Set<string>();
  for (const rule of rules) {
    const { operation, source, target, options } = rule;
    if (!fitsOperation(operation, asked)) continue;
    if (source.kind === "one" && source.name !== asked.vm) continue;
    const isAboutVm = source.kind === "one" || source.kind === "any";
    const words = JSON.stringify([isAboutVm ? null : source, target, coversPaths(rule)]);
    if (said.has(words)) continue;
    about.push(rule);
    if (options.expiresMs !== undefined) continue; // what follows counts when it has expired
    said.add(words);
    if (isAboutVm && coversPaths(rule)) break;
  }
  return about;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** The policy as a page shows it: files, rules in force, warnings, who may do what, and why. @module */

import { errorText, UserError } from "../../shared/cli/program.ts";
import type { JsonValue } from "../operations/operation.ts";
import { SHELL } from "../operations/table.ts";
import { recogniseScript, recogniseWords } from "../operations/recognise.ts";
import { checkPolicy } from "../policy/check_policy.ts";
import { decideOperation } from "../policy/decide_operation.ts";
import { scopeTags } from "../policy/decide.ts";
import { parsePolicy, type PolicyFiles } from "../policy/parse_policy.ts";
import { readPolicyFolder } from "../policy/policy_folder.ts";
import type { KnownQubes } from "../policy/qube_facts.ts";
import type { Rule } from "../policy/rule.ts";
import { type Effect, effectOf, whatMay } from "./who_may.ts";
import type { Settings } from "../settings/settings.ts";
import { markOf, policyChanges, type WantedText, withText } from "../operator/policy_files.ts";
import type { Paths } from "../settings/paths.ts";
import { parseVmName } from "../../shared/protocol/vm_name.ts";

export interface PolicyParts {
  readonly folder: string;
  readonly settings: () => Settings;
  readonly facts: (tags: ReadonlySet<string>) => Promise<KnownQubes>;
  readonly dateMs: () => number;
}

/** Who may do what is made from the rules in force; the files are those on the disk. */
export async function describePolicy(parts: PolicyParts): Promise<JsonValue> {
  const { folder, settings, facts } = parts;
  const { rules, keys } = settings();
  const inForce = rules ?? [];
  const files = await readFiles(folder);
  const known = await facts(scopeTags(inForce));
  const { error, warnings } = files instanceof UserError
    ? { error: files.message, warnings: [] }
    : await check(files, parts);
  return {
    folder,
    error,
    warnings,
    files: files instanceof UserError
      ? []
      : [...files].map(([name, text]) => ({ name, text, mark: markOf(text) })),
    rules: inForce.map(({ where, text }) => ({ where, text })),
    who: [...keys].map(([vm, { key }]) => ({
      vm,
      fingerprint: key.fingerprint,
      answers: whatMay(vm, inForce, known),
    })),
  };
}

/** What would be wrong if the file had this text, or were not there, and what would be allowed to whom. */
export async function checkText(parts: PolicyParts, wanted: WantedText): Promise<JsonValue> {
  const { rules: inForce, keys } = parts.settings();
  try {
    const rules = parsePolicy(withText(await filesOf(parts), wanted));
    const known = await parts.facts(scopeTags([...inForce ?? [], ...rules]));
    const effects: readonly Effect[] = effectOf([...keys.keys()], inForce ?? [], rules, known);
    return { error: null, warnings: warningsOf(rules, known), effects };
  } catch (error) {
    return { error: errorText(error), warnings: [], effects: [] };
  }
}

/**
 * Newest first: { id, timeMs, by, file, before, after, isUndone, now }, where `now` is the text on the
 * disk; null: there is no such file.
 */
export async function describePolicyChanges(
  parts: PolicyParts,
  paths: Paths,
): Promise<JsonValue> {
  const files = await filesOf(parts);
  return (await policyChanges(paths).list()).map(({ atMs, ...change }) => ({
    ...change,
    timeMs: atMs,
    now: files.get(change.file) ?? null,
  }));
}

/** @param draft decided as if a file had this text; null: by what is in force */
export async function explain(
  parts: PolicyParts,
  vmWord: string,
  words: readonly string[],
  draft: WantedText | null,
): Promise<JsonValue> {
  const vm = parseVmName(vmWord);
  const [first = ""] = words;
  const recognised = words.length === 1 ? recogniseScript(first) : recogniseWords(words);
  const rules = draft === null
    ? parts.settings().rules ?? []
    : parsePolicy(withText(await filesOf(parts), draft));
  const known = await parts.facts(scopeTags(rules));
  const steps: JsonValue[] = [];
  const state = { rules, known, nowMs: parts.dateMs() };
  const { decision } = decideOperation(vm, recognised, state, (target, { rule, passedOver }) => {
    steps.push({ target, where: rule.where, text: rule.text, passedOver });
  });
  const { action, because } = decision;
  return { operation: recognised?.operation.name ?? SHELL, action, because, steps };
}

async function readFiles(folder: string): Promise<PolicyFiles | UserError> {
  try {
    return await readPolicyFolder(folder, Deno.uid());
  } catch (error) {
    return new UserError(errorText(error));
  }
}

/** @throws {UserError} */
async function filesOf({ folder }: PolicyParts): Promise<PolicyFiles> {
  const files = await readFiles(folder);
  if (files instanceof UserError) throw files;
  return files;
}

interface Checked {
  readonly error: string | null;
  readonly warnings: readonly Warning[];
}

/** As a type, so that it is plain JSON. */
type Warning = { readonly where: string; readonly text: string };

async function check(files: PolicyFiles, { facts }: PolicyParts): Promise<Checked> {
  try {
    const rules = parsePolicy(files);
    return { error: null, warnings: warningsOf(rules, await facts(scopeTags(rules))) };
  } catch (error) {
    return { error: errorText(error), warnings: [] };
  }
}

function warningsOf(rules: readonly Rule[], { inventory }: KnownQubes): readonly Warning[] {
  const known = inventory === null ? null : {
    qubes: new Set(inventory.types.keys()),
    tags: new Set([...inventory.tagged].filter(([, who]) => who.size > 0).map(([tag]) => tag)),
  };
  return checkPolicy(rules, known).map(({ where, text }) => ({ where, text }));
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** The policy as a page shows it: files, rules in force, warnings, who may do what, and why. @module */

import { durableWrite } from "../../shared/io/durable.ts";
import { errorText, UserError } from "../../shared/cli/program.ts";
import { sha256Hex } from "../../shared/io/sha256.ts";
import { type JsonValue, LEVELS } from "../operations/operation.ts";
import { OPERATIONS, SHELL } from "../operations/table.ts";
import { recogniseScript, recogniseWords } from "../operations/recognise.ts";
import { checkPolicy } from "../policy/check_policy.ts";
import { decideOperation } from "../policy/decide_operation.ts";
import { scopeTags } from "../policy/decide.ts";
import { parsePolicy, type PolicyFiles } from "../policy/parse_policy.ts";
import { readPolicyFolder } from "../policy/policy_folder.ts";
import type { KnownQubes } from "../policy/qube_facts.ts";
import type { OperationPattern, QubePattern, Rule } from "../policy/rule.ts";
import type { Audit } from "../record/audit_log.ts";
import type { Settings } from "../settings/settings.ts";
import { parseVmName, type VmName } from "../../shared/protocol/vm_name.ts";

export interface PolicyParts {
  readonly folder: string;
  readonly settings: () => Settings;
  readonly facts: (tags: ReadonlySet<string>) => Promise<KnownQubes>;
  readonly audit: Audit;
  readonly dateMs: () => number;
}

const FILE_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,120}$/;

/** Who may do what is made from the rules in force; the files are those on the disk. */
export async function describePolicy(parts: PolicyParts): Promise<JsonValue> {
  const { folder, settings, facts } = parts;
  const { rules, keys } = settings();
  const inForce = rules ?? [];
  const files = await readFiles(folder);
  const known = await facts(scopeTags(inForce));
  const { error, warnings } = files instanceof Error
    ? { error: files.message, warnings: [] }
    : await check(files, parts);
  return {
    folder,
    error,
    warnings,
    files: files instanceof Error ? [] : [...files].map(([name, text]) => ({ name, text })),
    rules: inForce.map(({ where, text }) => ({ where, text })),
    who: [...keys].map(([vm, { key }]) => ({
      vm,
      fingerprint: key.fingerprint,
      answers: Object.fromEntries(
        [...LEVELS, SHELL].map((level) => [level, whatMay(vm, level, inForce, known)]),
      ),
    })),
  };
}

/** What would be wrong if the file had this text. */
export async function checkText(
  parts: PolicyParts,
  file: string,
  text: string,
): Promise<JsonValue> {
  const files = await readFiles(parts.folder);
  if (files instanceof Error) return { error: files.message, warnings: [] };
  return { ...await check(new Map([...files, [named(file), text]]), parts) };
}

/** Only a valid file is saved: with a bad one the old rules would stay in force unnoticed. */
export async function saveText(
  parts: PolicyParts,
  file: string,
  text: string,
  by: string,
): Promise<JsonValue> {
  const { folder, audit } = parts;
  const files = await readFiles(folder);
  if (files instanceof Error) throw files;
  parsePolicy(new Map([...files, [named(file), text]]));
  const sha256 = sha256Hex(text);
  audit.record("operator", { action: "policy-saved", by, file, sha256 });
  await audit.sync();
  await durableWrite(`${folder}/${file}`, text);
  return {};
}

export async function explain(
  parts: PolicyParts,
  vmWord: string,
  words: readonly string[],
): Promise<JsonValue> {
  const vm = parseVmName(vmWord);
  const [first = ""] = words;
  const recognised = words.length === 1 ? recogniseScript(first) : recogniseWords(words);
  const rules = parts.settings().rules ?? [];
  const known = await parts.facts(scopeTags(rules));
  const steps: JsonValue[] = [];
  const state = { rules, known, nowMs: parts.dateMs() };
  const { decision } = decideOperation(vm, recognised, state, (target, { rule, passedOver }) => {
    steps.push({ target, where: rule.where, text: rule.text, passedOver });
  });
  const { action, because } = decision;
  return { operation: recognised?.operation.name ?? SHELL, action, because, steps };
}

function named(file: string): string {
  if (FILE_NAME.test(file)) return file;
  throw new UserError("that is not the name of a policy file");
}

async function readFiles(folder: string): Promise<PolicyFiles | Error> {
  try {
    return await readPolicyFolder(folder, Deno.uid());
  } catch (error) {
    return new UserError(errorText(error));
  }
}

interface Checked {
  readonly error: string | null;
  readonly warnings: readonly { readonly where: string; readonly text: string }[];
}

async function check(files: PolicyFiles, { facts }: PolicyParts): Promise<Checked> {
  try {
    const rules = parsePolicy(files);
    const { inventory } = await facts(scopeTags(rules));
    const known = inventory === null ? null : {
      qubes: new Set(inventory.types.keys()),
      tags: new Set([...inventory.tagged].filter(([, who]) => who.size > 0).map(([tag]) => tag)),
    };
    const warnings = checkPolicy(rules, known).map(({ where, text }) => ({ where, text }));
    return { error: null, warnings };
  } catch (error) {
    return { error: errorText(error), warnings: [] };
  }
}

type Column = "monitor" | "manage" | "full" | "shell";

/** The rules that decide for this VM at this level, up to the one after which none does. */
function whatMay(vm: VmName, level: string, rules: readonly Rule[], known: KnownQubes): JsonValue {
  const found: JsonValue[] = [];
  for (const rule of rules) {
    const covered = coverage(rule.operation, level as Column);
    if (covered === "none" || !isAbout(rule.source, vm, known)) continue;
    const target = rule.text.split(" ")[2] ?? "*";
    const what = covered === "some" ? `${rule.text.split(" ")[0] ?? ""} ` : "";
    found.push({ action: rule.action, where: rule.where, target: `${what}${target}` });
    if (covered === "all" && rule.target.kind === "any" && rule.options.expiresMs === undefined) {
      break;
    }
  }
  return found.some((one) => (one as { action: string }).action !== "deny") ? found : [];
}

function coverage(pattern: OperationPattern, level: Column): "all" | "some" | "none" {
  switch (pattern.kind) {
    case "any":
      return "all";
    case "level":
      return pattern.level === level || (pattern.level === "full" && level === "shell")
        ? "all"
        : "none";
    case "family":
      return level !== "shell" && hasLevel(({ name }) => name.startsWith(pattern.prefix), level)
        ? "some"
        : "none";
    case "one":
      if (level === "shell") return pattern.name === SHELL ? "all" : "none";
      return hasLevel(({ name }) => name === pattern.name, level) ? "some" : "none";
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

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Reads the policy files in the order of their names, one rule a line. An error names file, line and
 * column, and what was expected there.
 *
 * @module
 */

import { LEVELS } from "../operations/operation.ts";
import { KINDS, ParameterError } from "../operations/parameter.ts";
import { OPERATIONS, SHELL } from "../operations/table.ts";
import { printable } from "../../shared/protocol/printable.ts";
import { ProtocolError } from "../../shared/protocol/refusal.ts";
import { parseDom0Path } from "../../shared/protocol/dom0_path.ts";
import { parseVmName } from "../../shared/protocol/vm_name.ts";
import type {
  Action,
  OperationPattern,
  QubePattern,
  Rule,
  RuleOptions,
  TargetPattern,
} from "./rule.ts";

/** How deeply files may include each other. */
const MAX_INCLUDE_DEPTH = 8;
/** More than a person can oversee; a decision may look at each. */
const MAX_RULES = 10_000;

/** A line that is not a rule. */
export class PolicyError extends Error {
  override readonly name = "PolicyError";
  constructor(
    readonly file: string,
    readonly line: number,
    readonly column: number,
    what: string,
  ) {
    super(`${file}:${line}:${column}: ${what}`);
  }
}

/** The files of the policy folder by name: those that end in .policy, and those they may include. */
export type PolicyFiles = ReadonlyMap<string, string>;

/** @throws {PolicyError} on the first line that is not a rule */
export function parsePolicy(files: PolicyFiles): readonly Rule[] {
  const names = [...files.keys()].filter((name) => name.endsWith(".policy")).sort();
  const rules = names.flatMap((name) => parseFile(files, name, []));
  const excess = rules[MAX_RULES];
  if (excess !== undefined) {
    throw new PolicyError(excess.where, 1, 1, `there are more than ${MAX_RULES} rules`);
  }
  return rules;
}

interface Word {
  readonly text: string;
  /** From 1. */
  readonly column: number;
}

type Fail = (word: Word | undefined, expected: string) => never;

function parseFile(files: PolicyFiles, name: string, within: readonly string[]): Rule[] {
  const rules: Rule[] = [];
  for (const [index, line] of (files.get(name) ?? "").split("\n").entries()) {
    const words = wordsOf(line);
    if (words.length === 0) continue;
    const last = words.at(-1);
    const afterLast = last === undefined ? 1 : last.column + last.text.length;
    const fail: Fail = (word, expected) => {
      const column = word?.column ?? afterLast;
      const found = word === undefined ? "nothing" : printable(word.text);
      throw new PolicyError(name, index + 1, column, `expected ${expected}, found ${found}`);
    };
    if (words[0]?.text === "!include") {
      rules.push(...include(files, words, [...within, name], fail));
    } else rules.push(parseRule(words, `${name}:${index + 1}`, fail));
  }
  return rules;
}

/** Only "\n" ends a line: what looks like an end to some editor must not hide a rule. */
function wordsOf(line: string): readonly Word[] {
  const code = line.replace(/(^|[ \t])#.*$/s, "");
  return [...code.matchAll(/[^ \t\r]+/g)].map(({ 0: text, index }) => ({
    text,
    column: index + 1,
  }));
}

function include(
  files: PolicyFiles,
  words: readonly Word[],
  within: readonly string[],
  fail: Fail,
): Rule[] {
  const [, name, more] = words;
  if (name === undefined || more !== undefined) {
    return fail(more ?? name, "one file after !include");
  }
  if (!files.has(name.text)) return fail(name, "a file of this folder");
  if (within.includes(name.text)) return fail(name, "a file that does not include this one");
  if (within.length >= MAX_INCLUDE_DEPTH) return fail(name, "no include this deep");
  return parseFile(files, name.text, within);
}

function parseRule(words: readonly Word[], where: string, fail: Fail): Rule {
  const [operation, source, target, action, ...options] = words;
  return {
    operation: parseOperation(operation, fail),
    source: parseSource(source, fail),
    target: parseTarget(target, fail),
    action: parseAction(action, fail),
    options: parseOptions(options, fail),
    where,
    text: words.map(({ text }) => text).join(" "),
  };
}

const OPERATION = 'an operation: a name, "vm.prefs.*", "@monitor", "shell" or "*"';

function parseOperation(word: Word | undefined, fail: Fail): OperationPattern {
  const text = word?.text ?? "";
  if (text === "*") return { kind: "any" };
  const level = LEVELS.find((known) => text === `@${known}`);
  if (level !== undefined) return { kind: "level", level };
  if (text === SHELL || OPERATIONS.has(text)) return { kind: "one", name: text };
  const prefix = text.endsWith(".*") ? text.slice(0, -1) : "";
  if (prefix !== "" && [...OPERATIONS.keys()].some((name) => name.startsWith(prefix))) {
    return { kind: "family", prefix };
  }
  return fail(word, OPERATION);
}

function parseSource(word: Word | undefined, fail: Fail): QubePattern {
  const text = word?.text ?? "";
  if (text === "@anyvm") return { kind: "any" };
  return parseQubes(text) ?? fail(word, 'a source: a qube, "@anyvm", "@tag:NAME" or "@type:CLASS"');
}

function parseTarget(word: Word | undefined, fail: Fail): TargetPattern {
  const text = word?.text ?? "";
  if (text === "*") return { kind: "any" };
  if (text.startsWith("/")) {
    return parsePathPattern(text) ??
      fail(word, 'a path of dom0, or a folder and "/*" for all below it; no "..", no other "*"');
  }
  if (text === "-") return { kind: "none" };
  return parseQubes(text) ??
    fail(word, 'a target: a qube, "@tag:NAME", "@type:CLASS", a path, "-" for dom0, or "*"');
}

function parsePathPattern(text: string): TargetPattern | null {
  const below = text.endsWith("/*");
  const folder = below ? text.slice(0, -"/*".length) : text;
  if (folder.includes("*")) return null;
  if (folder === "") return { kind: "path", path: "", below };
  const path = parsed(() => parseDom0Path(folder));
  return path === null ? null : { kind: "path", path, below };
}

function parseQubes(text: string): QubePattern | null {
  if (text.startsWith("@tag:")) {
    const tag = parsed(() => String(KINDS.tag.parse(text.slice("@tag:".length))));
    return tag === null ? null : { kind: "tag", tag };
  }
  if (text.startsWith("@type:")) {
    const type = parsed(() => String(KINDS.qubeClass.parse(text.slice("@type:".length))));
    return type === null ? null : { kind: "type", type };
  }
  const name = parsed(() => parseVmName(text));
  return name === null ? null : { kind: "one", name };
}

const ACTIONS: readonly Action[] = ["allow", "ask", "deny"];

function parseAction(word: Word | undefined, fail: Fail): Action {
  return ACTIONS.find((known) => known === word?.text) ?? fail(word, "allow, ask or deny");
}

/** Each option: its parser, and what is expected where that gives null. */
const OPTIONS: ReadonlyMap<
  string,
  readonly [expected: string, parse: (value: string) => RuleOptions | null]
> = new Map([
  ["timeout", [
    "timeout=SECONDS",
    (value) => number(value, (timeoutSeconds) => ({ timeoutSeconds })),
  ]],
  ["memory", ["memory=SIZE, such as 512M", (value) => {
    const [, digits = "", unit = ""] = /^([1-9][0-9]{0,8})([KMG])$/.exec(value) ?? [];
    const factor = UNITS.get(unit);
    return factor === undefined ? null : { memoryBytes: Number(digits) * factor };
  }]],
  ["expires", ["expires=YYYY-MM-DD or expires=YYYY-MM-DDTHH:MMZ", (value) => {
    const expiresMs = instant(value);
    return expiresMs === null ? null : { expiresMs };
  }]],
  ["notify", ["notify=yes or notify=no", (value) => {
    if (value !== "yes" && value !== "no") return null;
    return { notify: value === "yes" };
  }]],
  ["create", ["create=@tag:NAME", (value) => {
    const pattern = parseQubes(value);
    return pattern?.kind === "tag" ? { createTag: pattern.tag } : null;
  }]],
]);

const UNITS: ReadonlyMap<string, number> = new Map([
  ["K", 1024],
  ["M", 1024 ** 2],
  ["G", 1024 ** 3],
]);

function parseOptions(words: readonly Word[], fail: Fail): RuleOptions {
  let options: RuleOptions = {};
  const seen = new Set<string>();
  for (const word of words) {
    const [, key = "", value = ""] = /^([a-z]+)=(.*)$/s.exec(word.text) ?? [];
    const known = OPTIONS.get(key);
    if (known === undefined) {
      return fail(word, `one of ${[...OPTIONS.keys()].map((name) => `${name}=`).join(", ")}`);
    }
    if (seen.has(key)) return fail(word, `${key}= once`);
    seen.add(key);
    const [expected, parse] = known;
    options = { ...options, ...parse(value) ?? fail(word, expected) };
  }
  return options;
}

function number<T>(text: string, make: (value: number) => T): T | null {
  return /^[1-9][0-9]{0,8}$/.test(text) ? make(Number(text)) : null;
}

/** A day means its end, in UTC: "until the 31st" includes the 31st. */
function instant(text: string): number | null {
  const [, date, time] = /^(\d{4}-\d{2}-\d{2})(?:T(\d{2}:\d{2})Z)?$/.exec(text) ?? [];
  if (date === undefined) return null;
  const ms = Date.parse(`${date}T${time ?? "23:59"}:${time === undefined ? "59.999" : "00"}Z`);
  // "2026-02-31" is read as a day in March: one spelling for each day.
  return Number.isNaN(ms) || !new Date(ms).toISOString().startsWith(date) ? null : ms;
}

function parsed<T>(parse: () => T): T | null {
  try {
    return parse();
  } catch (error) {
    if (error instanceof ProtocolError || error instanceof ParameterError) return null;
    throw error;
  }
}

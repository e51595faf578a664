// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * How the words of a command line carry the parameters of an operation, written as a usage line:
 *
 *     qvm-shutdown [--wait] [--force] {vm}
 *     qvm-create [--class|-C={class}] --label|-l={label} {vm}
 *     qvm-tags {vm} add|a|set {tag}
 *     qvm-firewall {vm} add action={action} [dsthost={host}]
 *
 *     word, a|b            this word; the first one is written, each is read
 *     {name}, x:{name}     a parameter, alone or inside a word
 *     --flag|-f            an option that must be there
 *     --option|-o={name}   an option with a value: "--option VALUE" or "--option=VALUE"
 *     "one word"           a word with blanks in it
 *     {name}..., -o={name}...   as often as wanted: the value is all of them, with commas
 *     [...]                may be left out; [--flag] is the parameter "flag", true or false
 *
 * A plain word after the program ends a segment. The options of a segment come before all its
 * other words or after them, in any order. That is narrower than what Python's argparse takes, and
 * inside it argparse has one reading.
 *
 * @module
 */

import type { Value } from "./parameter.ts";

export type Values = ReadonlyMap<string, Value>;

/** Parses one word into a value of the named parameter. @throws {ParameterError} */
export type ParseValue = (parameter: string, untrustedWord: string) => Value;

export interface Spelling {
  readonly program: string;
  readonly segments: readonly Segment[];
  /** This usage line, for people. */
  readonly usage: string;
}

interface Segment {
  readonly options: readonly Option[];
  readonly positionals: readonly Positional[];
  /** The word that ends it, in each of its spellings; empty for the last segment. */
  readonly end: readonly string[];
}

interface Option {
  /** "--wait", "-w"; or one "key=" for a word that begins so. */
  readonly names: readonly string[];
  readonly parameter: string;
  readonly shape: "flag" | "valued" | "keyed";
  readonly required: boolean;
  readonly repeats: boolean;
}

/** A word with parameters in it: literal, parameter, literal, parameter, …, literal. */
interface Positional {
  readonly literals: readonly string[];
  readonly parameters: readonly string[];
  readonly required: boolean;
  readonly repeats: boolean;
}

/** Reads a usage line of the table. A bad one is a bug, found when the table is loaded. */
export function parseSpelling(usage: string): Spelling {
  const [program, ...tokens] = (usage.match(/"[^"]*"|[^ ]+/g) ?? [])
    .map((token) => token.replace(/^"(.*)"$/, "$1"));
  if (program === undefined || program === "") throw new Error(`bug: no program in "${usage}"`);
  const segments: Segment[] = [];
  let options: Option[] = [];
  let positionals: Positional[] = [];
  const close = (end: readonly string[]): void => {
    segments.push({ options, positionals, end });
    options = [];
    positionals = [];
  };
  for (const token of tokens) {
    const required = !token.startsWith("[");
    const inner = required ? token : token.slice(1, -1);
    if (inner.startsWith("-")) options.push(parseOption(inner, required));
    else if (!inner.includes("{")) close(inner.split("|"));
    else if (!required && /^[a-z0-9]+=\{/.test(inner)) options.push(parseKeyed(inner));
    else positionals.push(parsePositional(inner, required));
  }
  close([]);
  return { program, segments, usage };
}

/** Between the values of what may be given more than once. */
const BETWEEN = ",";
const AGAIN = "...";

function parseOption(whole: string, required: boolean): Option {
  const repeats = whole.endsWith(AGAIN);
  const token = repeats ? whole.slice(0, -AGAIN.length) : whole;
  const [spelled = "", value] = token.split("=");
  if (value !== undefined && !value.startsWith("{")) { // the same in each command line
    return { names: [token], parameter: "", shape: "flag", required, repeats };
  }
  const names = spelled.split("|");
  if (value !== undefined) {
    return { names, parameter: value.slice(1, -1), shape: "valued", required, repeats };
  }
  const parameter = (names[0] ?? "").replace(/^--?/, "").replaceAll("-", "_");
  return { names, parameter, shape: "flag", required, repeats };
}

function parseKeyed(token: string): Option {
  const key = token.slice(0, token.indexOf("=") + 1);
  const parameter = token.slice(key.length + 1, -1);
  return { names: [key], parameter, shape: "keyed", required: false, repeats: false };
}

function parsePositional(whole: string, required: boolean): Positional {
  const repeats = whole.endsWith(AGAIN);
  const token = repeats ? whole.slice(0, -AGAIN.length) : whole;
  const parts = token.split(/\{([a-z_0-9]+)\}/);
  return {
    literals: parts.filter((_, index) => index % 2 === 0),
    parameters: parts.filter((_, index) => index % 2 === 1),
    required,
    repeats,
  };
}

/** The names of all parameters, in the order of the usage line; a flag that must be there is not one. */
export function parametersOf({ segments }: Spelling): readonly string[] {
  return segments.flatMap(({ options, positionals }) => [
    ...options.filter((option) => !isFixed(option)).map(({ parameter }) => parameter),
    ...positionals.flatMap(({ parameters }) => parameters),
  ]);
}

function isFixed({ shape, required }: Option): boolean {
  return shape === "flag" && required;
}

/**
 * Reads a command line as this spelling.
 *
 * @returns null if it is spelled otherwise
 * @throws {ParameterError} from `parse`, for an invalid value
 */
export function readWords(
  { program, segments }: Spelling,
  untrustedWords: readonly string[],
  parse: ParseValue,
): Values | null {
  const [first, ...rest] = untrustedWords;
  if (first !== program) return null;
  const values = new Map<string, Value>();
  const cursor: Cursor = { words: rest, at: 0 };
  for (const segment of segments) {
    if (!readSegment(segment, cursor, values, parse)) return null;
  }
  return cursor.at === rest.length ? values : null;
}

interface Cursor {
  readonly words: readonly string[];
  at: number;
}

function readSegment(
  { options, positionals, end }: Segment,
  cursor: Cursor,
  values: Map<string, Value>,
  parse: ParseValue,
): boolean {
  const seen = new Set<Option>();
  if (!readOptions(options, cursor, seen, values, parse)) return false;
  for (const positional of positionals) {
    const word = cursor.words[cursor.at];
    if (word === undefined || word.startsWith("-")) {
      if (positional.required) return false;
      continue;
    }
    if (positional.repeats) {
      if (!readAll(positional, cursor, values, parse)) return false;
      continue;
    }
    if (!readPositional(positional, word, values, parse)) return false;
    cursor.at++;
  }
  if (!readOptions(options, cursor, seen, values, parse)) return false;
  for (const option of options) {
    if (option.required && !seen.has(option)) return false;
    if (option.shape === "flag" && !option.required) values.set(option.parameter, seen.has(option));
  }
  if (end.length === 0) return true;
  return end.includes(cursor.words[cursor.at++] ?? "");
}

/** Reads as many options as there are. @returns false if one is given twice or has no value */
function readOptions(
  options: readonly Option[],
  cursor: Cursor,
  seen: Set<Option>,
  values: Map<string, Value>,
  parse: ParseValue,
): boolean {
  for (let word; (word = cursor.words[cursor.at]) !== undefined;) {
    const found = findOption(options, word);
    if (found === null) return true;
    const { option, attached } = found;
    if (seen.has(option) && !option.repeats) return false;
    seen.add(option);
    cursor.at++;
    if (option.shape === "flag") continue;
    const value = attached ?? cursor.words[cursor.at++];
    if (value === undefined) return false;
    if (!option.repeats) values.set(option.parameter, parse(option.parameter, value));
    else if (!addValue(option.parameter, value, values, parse)) return false;
  }
  return true;
}

/** The words up to the next option. */
function readAll(
  { parameters: [parameter = ""] }: Positional,
  cursor: Cursor,
  values: Map<string, Value>,
  parse: ParseValue,
): boolean {
  for (let word; (word = cursor.words[cursor.at]) !== undefined && !word.startsWith("-");) {
    if (!addValue(parameter, word, values, parse)) return false;
    cursor.at++;
  }
  return true;
}

/** @returns false for a word that would be taken for several */
function addValue(
  parameter: string,
  word: string,
  values: Map<string, Value>,
  parse: ParseValue,
): boolean {
  const before = values.get(parameter);
  const all = before === undefined ? word : `${before}${BETWEEN}${word}`;
  values.set(parameter, parse(parameter, all));
  return !word.includes(BETWEEN);
}

function findOption(
  options: readonly Option[],
  word: string,
): { readonly option: Option; readonly attached: string | null } | null {
  for (const option of options) {
    for (const name of option.names) {
      if (option.shape === "keyed" && word.startsWith(name)) {
        return { option, attached: word.slice(name.length) };
      }
      if (word === name) return { option, attached: null };
      const isLong = option.shape === "valued" && name.startsWith("--");
      if (isLong && word.startsWith(`${name}=`)) {
        return { option, attached: word.slice(name.length + 1) };
      }
    }
  }
  return null;
}

/** Each parameter but the last ends where the next literal begins first. */
function readPositional(
  { literals, parameters }: Positional,
  word: string,
  values: Map<string, Value>,
  parse: ParseValue,
): boolean {
  const [head = "", ...tails] = literals;
  if (!word.startsWith(head)) return false;
  let rest = word.slice(head.length);
  for (const [index, parameter] of parameters.entries()) {
    const tail = tails[index] ?? "";
    const isLast = index === parameters.length - 1;
    const length = isLast ? rest.length - tail.length : rest.indexOf(tail);
    if (length < 0 || !rest.startsWith(tail, length)) return false;
    values.set(parameter, parse(parameter, rest.slice(0, length)));
    rest = rest.slice(length + tail.length);
  }
  return rest === "";
}

/** The command line that carries these values: the first spelling of each word. */
export function writeWords({ program, segments }: Spelling, values: Values): readonly string[] {
  const words = [program];
  for (const { options, positionals, end } of segments) {
    const keyed: string[] = [];
    for (const option of options) {
      const [name = ""] = option.names;
      const value = values.get(option.parameter);
      if (option.shape === "flag") {
        if (option.required || value === true) words.push(name);
      } else if (value !== undefined) {
        if (option.shape === "keyed") keyed.push(`${name}${value}`);
        else if (option.repeats) words.push(...eachOf(value).flatMap((one) => [name, one]));
        else words.push(name, String(value));
      }
    }
    for (const { literals, parameters, repeats } of positionals) {
      const all = values.get(parameters[0] ?? "");
      if (repeats) {
        words.push(...all === undefined ? [] : eachOf(all));
        continue;
      }
      const [head = "", ...tails] = literals;
      if (parameters.some((parameter) => values.get(parameter) === undefined)) continue;
      const inner = parameters.map((name, index) => `${values.get(name)}${tails[index] ?? ""}`);
      words.push(head + inner.join(""));
    }
    words.push(...keyed, ...end.slice(0, 1));
  }
  return words;
}

function eachOf(value: Value): readonly string[] {
  return String(value).split(BETWEEN);
}

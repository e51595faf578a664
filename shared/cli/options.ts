// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The words of a command line, read strictly: options end at "--", and unless they may stand
 * anywhere at the first other word; an unknown or repeated option is an error, a value is never
 * guessed. The word "help" or "version" alone is the option of that name, where there is one.
 * (@std/cli accepts unknown options, takes the next word for their value, and does not tell where "--"
 * was.)
 *
 * @module
 */

import { printable } from "../protocol/printable.ts";
import { didYouMean } from "./did_you_mean.ts";
import { UsageError } from "./program.ts";

/** What one option takes: nothing ("flag"), one value, or one value each time it is given. */
export type OptionKind = "flag" | "value" | "values";

export type OptionTable = Readonly<Record<string, OptionKind>>;

export interface ParsedWords {
  has(name: string): boolean;
  value(name: string): string | undefined;
  values(name: string): readonly string[];
  /** The words after the options. */
  readonly rest: readonly string[];
  /** Whether "--" ended the options. */
  readonly ended: boolean;
}

/**
 * @param table long names without dashes, for example { timeout: "value" }
 * @param short one letter to a long name, for example { t: "timeout" }
 * @throws {UsageError} naming the word that does not fit
 */
export function parseWords(
  words: readonly string[],
  table: OptionTable,
  short: Readonly<Record<string, string>> = {},
  place: "before words" | "anywhere" = "before words",
): ParsedWords {
  const kinds = new Map(Object.entries(table));
  const found = new Map<string, string[]>();
  const reading: Reading = { words, kinds, letters: new Map(Object.entries(short)), found, at: 0 };
  const { passed, ended } = takeOptions(reading, place);
  let rest = [...passed, ...words.slice(reading.at)];
  const [only = ""] = rest;
  if (!ended && rest.length === 1 && AS_WORDS.has(only) && kinds.get(only) === "flag") {
    found.set(only, [""]);
    rest = [];
  }
  return {
    has: (name) => found.has(name),
    value: (name) => found.get(name)?.[0],
    values: (name) => found.get(name) ?? [],
    rest,
    ended,
  };
}

/** The words, and how far they have been read. */
interface Reading {
  readonly words: readonly string[];
  readonly kinds: ReadonlyMap<string, OptionKind>;
  readonly letters: ReadonlyMap<string, string>;
  /** The values of each option, by its name; one empty text for a flag. */
  readonly found: Map<string, string[]>;
  /** The current word. */
  at: number;
}

/** Reads the options, up to the first other word. */
function takeOptions(
  reading: Reading,
  place: "before words" | "anywhere",
): { readonly passed: readonly string[]; readonly ended: boolean } {
  const { words, kinds } = reading;
  const passed: string[] = [];
  for (; reading.at < words.length; reading.at++) {
    const word = words[reading.at] ?? "";
    if (word === "--") {
      reading.at++;
      return { passed, ended: true };
    }
    const long = /^--([a-z0-9][a-z0-9-]*)(?:=(.*))?$/s.exec(word);
    if (long !== null) take(reading, word, long[1] ?? "", long[2]);
    else if (/^-[^-]/.test(word)) takeLetters(reading, word);
    else if (word.startsWith("--") || OTHER_DASH.test(word)) {
      throw unknownOption(word, [...kinds.keys()]);
    } else if (place === "anywhere") passed.push(word);
    else break;
  }
  return { passed, ended: false };
}

/** @param attached the value given in the word itself, if any */
function take(reading: Reading, word: string, name: string, attached: string | undefined): void {
  const { words, kinds, found } = reading;
  const kind = kinds.get(name);
  if (kind === undefined) throw unknownOption(word, [...kinds.keys()]);
  const before = found.get(name) ?? [];
  if (before.length > 0 && kind !== "values") throw new UsageError(`--${name} is given twice`);
  if (kind === "flag") {
    if (attached !== undefined) throw new UsageError(`--${name} takes no value`);
    found.set(name, [""]);
    return;
  }
  const value = attached ?? words[++reading.at];
  if (value === undefined) throw new UsageError(`${shown(word)} requires a value`);
  found.set(name, [...before, value]);
}

/** "-ab": letters of flags; the first that takes a value takes what is left of the word. */
function takeLetters(reading: Reading, word: string): void {
  const { kinds, letters } = reading;
  if (kinds.has(word.slice(1))) throw unknownOption(word, [...kinds.keys()]); // "-json"
  for (let i = 1; i < word.length; i++) {
    const name = letters.get(word.charAt(i)) ?? "";
    if (kinds.get(name) === "flag" || !kinds.has(name)) take(reading, word, name, undefined);
    else return take(reading, word, name, word.length > i + 1 ? word.slice(i + 1) : undefined);
  }
}

const AS_WORDS: ReadonlySet<string> = new Set(["help", "version"]);
/** What text processors turn "--" into. */
const OTHER_DASH = /^[\u2010-\u2015\u2212]/;

function unknownOption(word: string, known: readonly string[]): UsageError {
  const name = word.replace(/^[-\u2010-\u2015\u2212]+/, "").replace(/=.*$/s, "");
  const near = didYouMean(name, known, "--");
  const hints = near.length === 0 && known.includes("help") ? ["--help lists them"] : near;
  return new UsageError(`unknown option: ${shown(word)}`, hints);
}

/** Refuses a first word that is the name of an option: its dashes are missing. @throws {UsageError} */
export function refuseOptionWord({ rest, ended }: ParsedWords, table: OptionTable): void {
  const [word = ""] = rest;
  if (ended || table[word] !== "flag") return;
  throw new UsageError(`unexpected word: ${shown(word)}`, [`did you mean "--${word}"?`]);
}

/** A whole number from a command line. @throws {UsageError} naming the value and the range */
export function parseNumber(what: string, text: string, min: number, max: number): number {
  const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max) return value;
  throw new UsageError(`${what} takes a whole number from ${min} to ${max}, got: ${shown(text)}`);
}

/** @throws {UsageError} unless there are that many words */
export function expectWords(
  rest: readonly string[],
  min: number,
  max: number,
  usage: string,
): void {
  if (rest.length < min) throw new UsageError(`too few words; usage: ${usage}`);
  const extra = rest[max];
  if (extra !== undefined) throw new UsageError(`unexpected word: ${shown(extra)}`, [usage]);
}

/** A plain word as it is, anything else quoted and escaped. */
function shown(word: string): string {
  return /^[\w@%+=:,.\/-]{1,80}$/.test(word) ? word : printable(word);
}

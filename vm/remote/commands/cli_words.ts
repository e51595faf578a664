// SPDX-License-Identifier: GPL-2.0-or-later
/** A command line as a value: a sub-command, a command to run, help. @module */

import { isOneEditAway, unknownCommand } from "../../../shared/cli/did_you_mean.ts";
import { expectWords, type ParsedWords, parseWords } from "../../../shared/cli/options.ts";
import { UsageError } from "../../../shared/cli/program.ts";
import {
  type OptionHelpTable,
  optionTable,
  PROGRAM,
  RUN_OPTIONS,
  shortNames,
  SUB_COMMANDS,
  type SubCommand,
} from "./cli_table.ts";
import { shellQuote } from "../../../shared/protocol/command.ts";
import { MAX_TIMEOUT_MS } from "../../../shared/protocol/limits.ts";
import { printable } from "../../../shared/protocol/printable.ts";

/** Options that were given, wherever they stood, and the other words. */
export interface Given {
  has(name: string): boolean;
  value(name: string): string | undefined;
  readonly words: readonly string[];
}

export type CommandLine =
  | { readonly kind: "run"; readonly given: Given }
  | { readonly kind: "sub-command"; readonly path: string; readonly given: Given };

/** @throws {UsageError} */
export function parseCommandLine(args: readonly string[]): CommandLine {
  const front = parseWords(args, optionTable(RUN_OPTIONS), shortNames(RUN_OPTIONS));
  const isCommand = front.ended || front.has("command");
  const found = isCommand ? undefined : findSubCommand(front.rest);
  if (found === undefined && !isCommand) refuseMistyped(front.rest);
  if (found === undefined) return { kind: "run", given: asGiven([front], front.rest) };
  const { sub, rest } = found;
  const misplaced = Object.keys(RUN_OPTIONS).find((name) =>
    front.has(name) && !Object.hasOwn(sub.options, name) && !EVERYWHERE.has(name)
  );
  if (misplaced !== undefined) throw new UsageError(`--${misplaced} does not go with ${sub.path}`);
  const given = parseMixed(rest, sub.options, [front]);
  expectWords(given.words, sub.minWords, sub.maxWords, `${PROGRAM} ${sub.path} ${sub.words}`);
  return { kind: "sub-command", path: sub.path, given };
}

/** Allowed with every sub-command. */
const EVERYWHERE: ReadonlySet<string> = new Set([
  "quiet",
  "verbose",
  "help",
  "version",
  "connect-timeout",
]);

function findSubCommand(
  words: readonly string[],
): { readonly sub: SubCommand; readonly rest: readonly string[] } | undefined {
  const [first = "", second = ""] = words;
  const find = (path: string) => SUB_COMMANDS.find((sub) => sub.path === path);
  const long = find(`${first} ${second}`);
  if (long !== undefined) return { sub: long, rest: words.slice(2) };
  const short = find(first);
  if (short !== undefined && !(first === "queue" && isWord(second))) {
    return { sub: short, rest: words.slice(1) };
  }
  if (first !== "queue" && first !== "key") return undefined;
  const seconds = SUB_COMMANDS.flatMap(({ path }) =>
    path.startsWith(`${first} `) ? [path.slice(first.length + 1)] : []
  );
  if (!isWord(second)) throw new UsageError(`${first} requires: ${seconds.join(" | ")}`);
  throw unknownCommand(`${first} command`, second, seconds, `"${PROGRAM} --help"`);
}

/**
 * Commands run as root in dom0, so a mistyped sub-command must not get there.
 *
 * @throws {UsageError} if it is one edit away from a sub-command
 */
function refuseMistyped(words: readonly string[]): void {
  const [first = "", second = "", ...others] = words;
  const isAlone = words.slice(1).every((word) => word.startsWith("-"));
  const isCall = isOperation(second, others);
  const typed = isAlone || isCall || IS_ARGUMENT.test(second) ? first : `${first} ${second}`;
  const paths = SUB_COMMANDS.flatMap(({ path }) => [path, path.split(" ", 1)[0] ?? ""])
    .filter((path) => path !== "op" || isCall)
    // "ps" and "cp" are programs
    .filter((path) => (path !== "ops" && path !== "mcp") || typed.length >= path.length);
  const meant = [...paths, "help", "version"].find((path) => isOneEditAway(typed, path));
  if (meant === undefined) return;
  throw new UsageError(`no sub-command: ${printable(typed)}`, [
    `did you mean "${PROGRAM} ${meant}"?`,
    `to run it in dom0: ${PROGRAM} -- ${shellQuote(words)}`,
  ]);
}

/** Of "wait" and of "plan": an id, a file. */
const IS_ARGUMENT = /^[0-9]{8}-[0-9]{6}-[0-9]+-[0-9a-f]{8}$|\.(?:ya?ml|json)$/;

/** "vm.info vm=work" looks like no program's arguments; "cp" and "ip" still mean the programs. */
function isOperation(name: string, values: readonly string[]): boolean {
  return /^[a-z]+(\.[a-z-]+)+$/.test(name) &&
    values.every((word) => word.includes("=") || word.startsWith("-"));
}

function isWord(text: string): boolean {
  return text !== "" && !text.startsWith("-");
}

/** Options may stand between the words, each once. */
function parseMixed(
  words: readonly string[],
  options: OptionHelpTable,
  before: readonly ParsedWords[],
): Given {
  const parsed = [...before];
  const plain: string[] = [];
  for (let rest = words;;) {
    const next = parseWords(rest, optionTable(options), shortNames(options));
    const twice = Object.keys(options).find((name) =>
      next.has(name) && parsed.some((earlier) => earlier.has(name))
    );
    if (twice !== undefined) throw new UsageError(`--${twice} is given twice`);
    parsed.push(next);
    const [word] = next.rest;
    if (word === undefined || next.ended) return asGiven(parsed, [...plain, ...next.rest]);
    plain.push(word);
    rest = next.rest.slice(1);
  }
}

function asGiven(parsed: readonly ParsedWords[], words: readonly string[]): Given {
  return {
    has: (name) => parsed.some((part) => part.has(name)),
    value: (name) => parsed.map((part) => part.value(name)).find((value) => value !== undefined),
    words,
  };
}

/** The value of -t in ms. @param usualMs without -t @throws {UsageError} in the words of the original */
export function parseTimeout(given: Given, usualMs: number): number {
  const text = given.value("timeout");
  if (text === undefined) return usualMs;
  if (!/^-?[0-9]+$/.test(text)) {
    const shown = /^[\w.+-]{1,20}$/.test(text) ? text : printable(text);
    throw new UsageError(`-t requires an integer, got: ${shown}`);
  }
  const seconds = Number(text);
  if (seconds <= 0) throw new UsageError("-t must be a positive integer");
  if (seconds * 1000 > MAX_TIMEOUT_MS) {
    throw new UsageError(`-t takes at most ${MAX_TIMEOUT_MS / 1000} seconds`);
  }
  return seconds * 1000;
}

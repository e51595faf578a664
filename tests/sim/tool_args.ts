// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Command lines as the qvm-* programs read them: argparse's rules, as far as
 * scripts rely on them. Long options may be shortened while they are unique.
 *
 * @module
 */

/** How an option takes values: not at all, one, one each time, or all words that follow. */
export type OptionKind = "flag" | "value" | "append" | "many";

/** The options of a program: names as written, and how each takes values. */
export type OptionTable = readonly (readonly [names: string, kind: OptionKind])[];

/** A command line that was read. */
export interface ToolArgs {
  readonly words: readonly string[];
  has(option: string): boolean;
  value(option: string): string | undefined;
  values(option: string): readonly string[];
}

/** Ends the program with a usage error, exit code 2. */
export class ToolUsageError extends Error {
  override readonly name = "ToolUsageError";
}

/** Ends the program with "error: ...", without usage, exit code 1. */
export class ToolRuntimeError extends Error {
  override readonly name = "ToolRuntimeError";
}

/** Options every one of these programs takes. */
const COMMON: OptionTable = [
  ["--verbose -v", "flag"],
  ["--quiet -q", "flag"],
  ["--force-root", "flag"],
  ["--help -h", "flag"],
];

/**
 * @param maxWords after that many words nothing is an option any more (qvm-run)
 * @throws {ToolUsageError}
 */
export function parseToolArgs(
  args: readonly string[],
  table: OptionTable,
  maxWords = Infinity,
): ToolArgs {
  const kinds = new Map<string, { key: string; kind: OptionKind }>();
  for (const [names, kind] of [...COMMON, ...table]) {
    const all = names.split(" ");
    for (const name of all) kinds.set(name, { key: all[0] ?? name, kind });
  }
  const found = new Map<string, string[]>();
  const words: string[] = [];
  const rest = [...args];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (words.length >= maxWords) {
      words.push(arg, ...rest);
      break;
    }
    if (arg === "--") {
      words.push(...rest);
      break;
    }
    if (!arg.startsWith("-") || arg === "-") {
      words.push(arg);
      continue;
    }
    if (!arg.startsWith("--") && arg.length > 2) {
      const first = kinds.get(arg.slice(0, 2));
      const tail = arg.slice(2);
      rest.unshift(arg.slice(0, 2), first?.kind === "flag" ? `-${tail}` : tail);
      continue;
    }
    const [name = "", ...given] = arg.startsWith("--") ? arg.split("=") : [arg];
    const option = kinds.get(name) ?? expand(name, kinds);
    const values = found.get(option.key) ?? [];
    found.set(option.key, values);
    if (option.kind === "flag") {
      if (given.length > 0) {
        throw new ToolUsageError(
          `argument ${name}: ignored explicit argument '${given.join("=")}'`,
        );
      }
      continue;
    }
    const value = given.length > 0 ? given.join("=") : rest.shift();
    if (value === undefined) throw new ToolUsageError(`argument ${name}: expected one argument`);
    values.push(value);
    if (option.kind === "many") {
      while (rest[0] !== undefined && !rest[0].startsWith("-")) values.push(rest.shift() ?? "");
    }
  }
  return {
    words,
    has: (option) => found.has(option),
    value: (option) => found.get(option)?.at(-1),
    values: (option) => found.get(option) ?? [],
  };
}

function expand<T>(name: string, kinds: ReadonlyMap<string, T>): T {
  const matches = name.startsWith("--")
    ? [...kinds].filter(([known]) => known.startsWith(name))
    : [];
  const [match] = matches;
  if (matches.length > 1) {
    const names = matches.map(([known]) => known).join(", ");
    throw new ToolUsageError(`ambiguous option: ${name} could match ${names}`);
  }
  if (match === undefined) throw new ToolUsageError(`unrecognized arguments: ${name}`);
  return match[1];
}

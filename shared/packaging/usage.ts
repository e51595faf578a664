// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Reads usage lines, "[--grant LEVEL [--scope @tag:NAME]] VM [KEY]": which options there are, which
 * of them take a value, and what words may follow. A word in capitals stands for something; any
 * other is literal, and "a|b" is a choice.
 *
 * @module
 */

export interface OptionLine {
  /** With its dashes, "--timeout". */
  readonly name: string;
  /** With its dash, "-t". */
  readonly short?: string;
  /** What its value is called; none: it is a flag. */
  readonly value?: string;
  /** One line about it, where the program has one. */
  readonly about?: string;
}

export interface Usage {
  readonly options: readonly OptionLine[];
  /** One for each place, "VM" or "check|list". */
  readonly words: readonly string[];
}

const IS_OPTION = /^--?[a-z]/;

export function parseUsage(usage: string): Usage {
  const tokens = usage.match(/[\[\]]|[^\s\[\]]+/g) ?? [];
  const options: OptionLine[] = [];
  const words: string[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at] ?? "";
    if (token === "--") break; // what follows is another program's
    if (IS_OPTION.test(token)) {
      const next = tokens[at + 1] ?? "]";
      const takesValue = next !== "]" && next !== "[" && !IS_OPTION.test(next);
      if (takesValue) at++;
      options.push(takesValue ? { name: token, value: next } : { name: token });
    } else if (/^[\w@]/.test(token)) {
      words.push(token.replace(/\.+$/, ""));
    }
  }
  return { options, words };
}

/** "show [--json] | verify" has two ways to go on; a "|" inside brackets or a word parts nothing. */
export function alternatives(usage: string): readonly string[] {
  let depth = 0;
  let current = "";
  const found: string[] = [];
  for (const word of usage.split(" ")) {
    if (word === "|" && depth === 0) {
      found.push(current.trim());
      current = "";
      continue;
    }
    depth += word.split("[").length - word.split("]").length;
    current += ` ${word}`;
  }
  return [...found, current.trim()];
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What a mistyped word was meant to be. (The distance of @std/text counts two edits for swapped
 * letters, the most frequent mistake.)
 *
 * @module
 */

import { UsageError } from "./program.ts";
import { printable } from "../protocol/printable.ts";

/** The known word that is closest to this one; undefined if none is close. "--time" is "--timeout". */
export function nearestWord(word: string, known: readonly string[]): string | undefined {
  const begun = known.filter((one) => word.length > 1 && one.startsWith(word));
  if (begun.length === 1) return begun[0];
  const typed = word.toLowerCase();
  return known.find((one) => one === typed || isOneEditAway(typed, one));
}

/** One letter added, left out or changed, or two neighbours swapped. */
export function isOneEditAway(a: string, b: string): boolean {
  const shorter = Math.min(a.length, b.length);
  let start = 0;
  while (start < shorter && a[start] === b[start]) start++;
  let end = 0;
  while (end < shorter - start && a.at(-1 - end) === b.at(-1 - end)) end++;
  const [x, y] = [a.slice(start, a.length - end), b.slice(start, b.length - end)];
  if (x.length <= 1 && y.length <= 1) return x !== y;
  return x.length === 2 && y === `${x[1]}${x[0]}`;
}

/** The hints for an unknown word. */
export function didYouMean(word: string, known: readonly string[], prefix = ""): string[] {
  const nearest = nearestWord(word, known);
  return nearest === undefined ? [] : [`did you mean "${prefix}${nearest}"?`];
}

/** @param usage how to see all of them */
export function unknownCommand(
  what: string,
  word: string,
  known: readonly string[],
  usage: string,
): UsageError {
  return new UsageError(`unknown ${what}: ${printable(word)}`, [
    ...didYouMean(word, known),
    `see ${usage}`,
  ]);
}

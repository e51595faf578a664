// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Finding lines by their words: "disk full" has both, "error|failed" one of the two, "-debug" has not this
 * one; capitals do not matter. No regular expression: whatever is asked, it takes as long as the text is.
 *
 * @module
 */

/** What is asked between two bars. */
interface Alternative {
  readonly has: readonly string[];
  readonly hasNot: readonly string[];
}

/** @returns whether a line is wanted */
export function lineFilter(asked: string): (line: string) => boolean {
  const alternatives = asked.toLowerCase().split("|").map(alternativeOf)
    .filter(({ has, hasNot }) => has.length + hasNot.length > 0);
  if (alternatives.length === 0) return () => true;
  return (line) => {
    const text = line.toLowerCase();
    return alternatives.some(({ has, hasNot }) =>
      has.every((word) => text.includes(word)) && !hasNot.some((word) => text.includes(word))
    );
  };
}

function alternativeOf(text: string): Alternative {
  const words = text.split(/\s+/).filter((word) => word !== "");
  const isNot = (word: string): boolean => word.length > 1 && word.startsWith("-");
  return {
    has: words.filter((word) => !isNot(word)),
    hasNot: words.filter(isNot).map((word) => word.slice(1)),
  };
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** Text of any number of lines, in blocks: the browser lays out only the visible ones. @module */

import { type Html, lines, markup } from "../markup/markup.ts";

const BLOCK_LINES = 200;

export function longText(untrustedText: string): Html {
  return markup`${
    blocksOf(untrustedText).map((block) => markup`<span class="block">${lines(block)}</span>`)
  }`;
}

/** A block ends with its last line: the end of that is the end of the block. */
function blocksOf(text: string): readonly string[] {
  const all = text.replace(/\n$/, "").split("\n");
  return Array.from(
    { length: Math.ceil(all.length / BLOCK_LINES) },
    (_, index) => all.slice(index * BLOCK_LINES, (index + 1) * BLOCK_LINES).join("\n"),
  );
}

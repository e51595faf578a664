// SPDX-License-Identifier: GPL-2.0-or-later
/** Two texts, line by line. Pure. @module */

import { printable } from "../../shared/protocol/printable.ts";

export interface TextLine {
  readonly kind: "same" | "added" | "removed";
  readonly text: string;
}

/** What stays stands once, between what goes and what comes. */
export function textDiff(before: string, after: string): readonly TextLine[] {
  const [old, fresh] = [linesOf(before), linesOf(after)];
  let head = 0;
  while (head < Math.min(old.length, fresh.length) && old[head] === fresh[head]) head++;
  let tail = 0;
  const most = Math.min(old.length, fresh.length) - head;
  while (tail < most && old.at(-1 - tail) === fresh.at(-1 - tail)) tail++;
  const as = (kind: TextLine["kind"], lines: readonly string[]): TextLine[] =>
    lines.map((text) => ({ kind, text }));
  return [
    ...as("same", old.slice(0, head)),
    ...as("removed", old.slice(head, old.length - tail)),
    ...as("added", fresh.slice(head, fresh.length - tail)),
    ...as("same", old.slice(old.length - tail)),
  ];
}

function linesOf(text: string): readonly string[] {
  return text === "" ? [] : text.replace(/\n$/, "").split("\n");
}

const SIGNS = { same: " ", added: "+", removed: "-" } as const;
const LONGEST_CHARS = 500;

/** Only what differs, for a terminal: "  - old" and "  + new" lines. */
export function changedLines(before: string, after: string): string {
  return textDiff(before, after).filter(({ kind }) => kind !== "same").map(({ kind, text }) =>
    `  ${SIGNS[kind]} ${/^[\x20-\x7e]*$/.test(text) ? text : printable(text, LONGEST_CHARS)}\n`
  ).join("");
}

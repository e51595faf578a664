// SPDX-License-Identifier: GPL-2.0-or-later
/** A change of a value, line by line. Pure. @module */

import type { JsonValue } from "../../operations/operation.ts";
import { shownValue } from "../../operations/shown_value.ts";
import type { DiffLine } from "./dom0_channel.ts";

/** Of lists what stays, what comes and what goes; of anything else the old and the new value. */
export function changeLines(what: string, before: JsonValue, after: JsonValue): DiffLine[] {
  if (!Array.isArray(before) || !Array.isArray(after)) {
    return JSON.stringify(before) === JSON.stringify(after)
      ? [{ kind: "same", text: `${what}: ${shownValue(before)} (no change)` }]
      : [
        { kind: "removed", text: `${what}: ${shownValue(before)}` },
        { kind: "added", text: `${what}: ${shownValue(after)}` },
      ];
  }
  const old = before.map(shownValue);
  const fresh = after.map(shownValue);
  const gone = old.filter((one) => !fresh.includes(one));
  return [
    ...gone.map((text): DiffLine => ({ kind: "removed", text })),
    ...fresh.map((text): DiffLine => ({ kind: old.includes(text) ? "same" : "added", text })),
  ];
}

/** Of two texts, line by line: what stays stands once, between what goes and what comes. */
export function textDiff(before: string, after: string): readonly DiffLine[] {
  const [old, fresh] = [linesOf(before), linesOf(after)];
  let head = 0;
  while (head < Math.min(old.length, fresh.length) && old[head] === fresh[head]) head++;
  let tail = 0;
  const most = Math.min(old.length, fresh.length) - head;
  while (tail < most && old.at(-1 - tail) === fresh.at(-1 - tail)) tail++;
  const as = (kind: DiffLine["kind"], lines: readonly string[]): DiffLine[] =>
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

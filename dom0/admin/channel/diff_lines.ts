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

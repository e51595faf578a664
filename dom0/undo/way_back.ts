// SPDX-License-Identifier: GPL-2.0-or-later
/** From the record of an operation to the operations that take it back. Pure. @module */

import type { JsonValue } from "../operations/operation.ts";
import { ParameterError } from "../operations/parameter.ts";
import { type Recognised, recogniseNamed } from "../operations/recognise.ts";
import type { Values } from "../operations/spelling.ts";
import { type Change, CHANGES } from "../operations/undo.ts";
import type { UndoRecord } from "./undo_record.ts";

export type WayBack =
  | { readonly kind: "steps"; readonly change: Change; readonly steps: readonly Recognised[] }
  /** There is none, and why. */
  | { readonly kind: "none"; readonly why: string };

export function wayBack(
  { operation, values, before, exitCode }: Pick<
    UndoRecord,
    "operation" | "values" | "before" | "exitCode"
  >,
): WayBack {
  const change = CHANGES.get(operation);
  if (change === undefined) return { kind: "none", why: `${operation} cannot be undone` };
  if (before === null) {
    return { kind: "none", why: "what was there before it ran could not be read" };
  }
  const back = change.back(before.value, values);
  if (back === null) {
    return { kind: "none", why: `nothing leads back to ${JSON.stringify(before.value)}` };
  }
  try {
    const steps = back.map((step) => recogniseNamed(step.operation, pairsOf(step.values)));
    if (steps.length === 0 && exitCode === 0) {
      return { kind: "none", why: "it was so before" };
    }
    return { kind: "steps", change, steps };
  } catch (error) {
    if (!(error instanceof ParameterError)) throw error;
    return {
      kind: "none",
      why: `what was there before is nothing that can be set: ${error.message}`,
    };
  }
}

function pairsOf(values: Values): readonly string[] {
  return [...values].map(([key, value]) => `${key}=${value}`);
}

/** The values that the reading operation of a change needs, of those of the one that changes. */
export function valuesForReading(parameters: Iterable<string>, values: Values): Values {
  const wanted = new Set(parameters);
  return new Map([...values].filter(([name]) => wanted.has(name)));
}

/** Whether two parts that were read are the same; the order of keys means nothing. */
export function isSamePart(one: JsonValue, other: JsonValue): boolean {
  return JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));
}

function sorted(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => a < b ? -1 : 1);
  return Object.fromEntries(entries.map(([key, one]) => [key, sorted(one)]));
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * JSON answers of dom0 as lines for people, safe for a terminal. null for JSON of another form. Pure.
 *
 * @module
 */

import { visibleLine } from "../client/visible_text.ts";

/** What a VM may do with an operation, and the colour of it on a terminal. */
const DECISION_COLOURS: ReadonlyMap<string, number> = new Map([
  ["allow", 32],
  ["ask", 33],
  ["deny", 31],
]);

/** The operations of dom0's table: name, level, what this VM may do, summary. */
export function operationLines(value: unknown, isColoured: boolean): string | null {
  if (!Array.isArray(value)) return null;
  const rows = value.map((operation) => textFields(operation, OPERATION_FIELDS));
  if (!rows.every((row) => row !== null)) return null;
  const head = ["OPERATION", "LEVEL", "YOU MAY", "WHAT IT DOES"];
  return tableOf([head, ...rows], (cell, column, row) => {
    const colour = column === 2 && row > 0 ? DECISION_COLOURS.get(cell.trimEnd()) : undefined;
    return isColoured && colour !== undefined ? `\x1b[${colour}m${cell}\x1b[0m` : cell;
  });
}

const OPERATION_FIELDS = ["name", "level", "decision", "summary"] as const;

/** One line of a plan's answer: a step that has ended, or the whole. */
export function planLine(value: unknown): string | null {
  if (!isObject(value)) return null;
  return typeof value.plan === "string" ? wholeLine(value) : stepLine(value);
}

function stepLine(value: Readonly<Record<string, unknown>>): string | null {
  const { step, name, exit, stderr } = value;
  const [operation, outcome] = textFields(value, ["operation", "outcome"]) ?? [];
  if (typeof step !== "number" || operation === undefined || outcome === undefined) return null;
  const called = typeof name === "string" ? ` (${visibleLine(name)})` : "";
  const why = typeof stderr === "string" ? stderr.trimEnd() : "";
  const details = outcome === "done"
    ? ""
    : (typeof exit === "number" ? `, exit ${exit}` : "") + (why === "" ? "" : `: ${why}`);
  return `step ${step}${called}: ${operation}: ${outcome}${visibleLine(details)}`;
}

function wholeLine(value: Readonly<Record<string, unknown>>): string | null {
  const { plan, steps, done, undone, notUndone } = value;
  if (typeof steps !== "number" || typeof done !== "number") return null;
  return [
    `plan ${visibleLine(String(plan))}: ${done} of ${steps} steps done`,
    ...numbersOf("undone", undone),
    ...numbersOf("not undone", notUndone),
  ].join("; ");
}

function numbersOf(what: string, steps: unknown): string[] {
  if (!Array.isArray(steps) || steps.length === 0) return [];
  return [`${what}: ${steps.map((step) => visibleLine(String(step))).join(", ")}`];
}

/** What dom0 would do, each fact on a line of its own. */
export function explainedLines(value: unknown): string | null {
  if (!isObject(value)) return null;
  const facts = Object.entries(value);
  const width = Math.max(0, ...facts.map(([name]) => name.length));
  return facts.map(([name, fact]) => {
    const text = changeLines(fact) ?? (typeof fact === "string" ? fact : jsonText(fact));
    const [first = "", ...others] = text.split("\n").map(visibleLine);
    const indent = " ".repeat(width + 2);
    return [visibleLine(name).padEnd(width) + "  " + first, ...others.map((line) => indent + line)]
      .map((line) => line.trimEnd() + "\n").join("");
  }).join("");
}

/** A preview: what would change, from what to what. */
function changeLines(rows: unknown): string | null {
  if (!Array.isArray(rows) || rows.length === 0) return null;
  if (rows.every((row) => typeof row === "string")) return rows.join("\n");
  if (!rows.every((row) => textFields(row, ["what"]) !== null)) return null;
  return rows.map(({ what, before, after }) => {
    if (after === undefined) return `${what}: now ${valueText(before)}`;
    const isGone = after === null && before !== null;
    return `${what}: ${valueText(before)} -> ${isGone ? "gone" : valueText(after)}`;
  }).join("\n");
}

/** A property is shown by its value, other records as JSON. */
function valueText(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (!isObject(value)) return typeof value === "object" ? JSON.stringify(value) : String(value);
  if (!("value" in value && "isDefault" in value)) return JSON.stringify(value);
  return valueText(value.value) + (value.isDefault === true ? " (the default)" : "");
}

function jsonText(value: unknown): string {
  return JSON.stringify(value, null, 2);
}

/** The last column is not padded. */
function tableOf(
  rows: readonly (readonly string[])[],
  shown: (cell: string, column: number, row: number) => string = (cell) => cell,
): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0))
  );
  return rows.map((row, at) =>
    row.map((cell, column) =>
      shown(column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0), column, at)
    ).join("  ") + "\n"
  ).join("");
}

function textFields(value: unknown, names: readonly string[]): readonly string[] | null {
  if (!isObject(value)) return null;
  const fields = names.map((name) => value[name]);
  return fields.every((field) => typeof field === "string") ? fields.map(visibleLine) : null;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** The value of an operation, by its shape: rows, names and values, a list, or one word. @module */

import type { JsonValue } from "../../../operations/operation.ts";
import { shownValue } from "../../../operations/shown_value.ts";
import { type Content, type Html, markup, NOTHING } from "../../markup/markup.ts";
import { many, table } from "../parts.ts";

/** Where the programs' own word is not one of English. */
const HEADS: ReadonlyMap<string, string> = new Map([
  ["id", "ID"],
  ["evr", "Version"],
  ["memory_mib", "Memory, MiB"],
]);

export function resultTable(value: JsonValue): Content {
  if (value === null) return NOTHING;
  if (Array.isArray(value)) return listed(value);
  if (typeof value !== "object") return NOTHING; // its text is the output itself
  const entries = Object.entries(value);
  if (entries.length === 0) return NOTHING; // it was done, and there is nothing to say
  return markup`<div class="scroll">${
    table(
      [{ name: "Name" }, { name: "Value" }],
      entries.map(([name, one]) => ({
        key: name,
        cells: [markup`<code>${name}</code>`, cell(one)],
      })),
    )
  }</div>`;
}

function listed(value: readonly JsonValue[]): Html {
  if (value.length === 0) return markup`<p class="soft">The list is empty.</p>`;
  const rows = value.filter(isRow);
  if (rows.length < value.length) {
    return markup`<p class="small soft">${
      many(value.length, "entry", "entries")
    }</p><ul class="stack">${
      value.map((one) => markup`<li><code>${shownValue(one)}</code></li>`)
    }</ul>`;
  }
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return markup`<p class="small soft">${many(rows.length, "row")}</p><div class="scroll">${
    table(
      names.map((name) => ({ name: headOf(name), ...isNumber(rows, name) ? { look: "num" } : {} })),
      rows.map((row) => ({ cells: names.map((name) => cell(row[name])) })),
    )
  }</div>`;
}

type Row = Readonly<Record<string, JsonValue>>;

function isRow(value: JsonValue): value is Row {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** "memory_mib": "Memory, MiB" */
export function headOf(name: string): string {
  const known = HEADS.get(name);
  if (known !== undefined) return known;
  const words = name.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function isNumber(
  rows: readonly Readonly<Record<string, unknown>>[],
  name: string,
): boolean {
  const own = rows.map((row) => row[name]).filter((one) => one !== null && one !== undefined);
  return own.length > 0 && own.every((one) => /^-?[0-9.]+$/.test(String(one)));
}

function cell(value: JsonValue | undefined): Content {
  if (value === undefined || value === null) return markup`<span class="soft">none</span>`;
  return shownValue(value);
}

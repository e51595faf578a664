// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The forms of output that dom0's tools have, the values they become, and what of a value is shown to a
 * VM that may not see every qube. The tools pad tables with column(1); only the last cell may contain
 * blanks, unless the form says otherwise.
 *
 * @module
 */

import { printable } from "../../shared/protocol/printable.ts";
import { type JsonValue, type Result, ResultError } from "./operation.ts";
import type { JsonSchema } from "./parameter.ts";
import { NOT_VISIBLE, type View } from "./view.ts";

const STRING: JsonSchema = { type: "string" };

/** Output without meaning: it succeeded or it failed. */
export const NOTHING: Result = {
  schema: { type: "object", properties: {}, additionalProperties: false },
  parse: () => ({}),
  format: () => "",
  keepVisible: (value) => value,
};

/** The text as it is, without the last newline. */
export const TEXT: Result = {
  schema: STRING,
  parse: (text) => text.replace(/\n$/, ""),
  format: (value) => `${value}\n`,
  keepVisible: hideName,
};

/** What a command in a qube printed: it belongs to that qube, whatever names are in it. */
export const OWN_TEXT: Result = { ...TEXT, keepVisible: (value) => value };

/** TYPE SIZE MODE TIME NAME a line, as find(1) prints; the name is the rest, blanks and all. */
export const FILE_LIST: Result = {
  schema: {
    type: "array",
    items: {
      type: "object",
      properties: {
        type: { type: "string", description: "f: file, d: folder, l: link; others are special" },
        size: { type: "integer" },
        mode: STRING,
        mtime: { type: "integer", description: "seconds since 1970" },
        name: STRING,
      },
      required: ["type", "size", "mode", "mtime", "name"],
      additionalProperties: false,
    },
  },
  parse: (text) =>
    text.split("\n").filter((line) => line !== "").map((line) => {
      const [, type, size, mode, mtime, name] =
        /^(\S+) (\d+) ([0-7]+) (-?\d+) (.+)$/su.exec(line) ?? [];
      if (type === undefined || mode === undefined || name === undefined) throw unexpected(line);
      return { type, size: Number(size), mode, mtime: Number(mtime), name };
    }),
  format: (value) =>
    list(value).map((one) => {
      const { type, size, mode, mtime, name } = record(one);
      return `${type} ${size} ${mode} ${mtime} ${name}\n`;
    }).join(""),
  keepVisible: (value) => value,
};

/** One item a line. */
export const LINES: Result = {
  schema: { type: "array", items: STRING },
  parse: (text) => lines(text),
  format: (value) => list(value).map((line) => `${line}\n`).join(""),
  keepVisible: (value, view) => list(value).map((line) => hideName(line, view)),
};

/** The name of a qube a line. */
export const NAMES: Result = {
  ...LINES,
  keepVisible: (value, view) => list(value).filter((line) => !view.hides(String(line))),
};

/** A tag is not a qube's name, but one of qubesd's tags says which qube created this one
 * (qubes/api/admin.py). */
export const TAGS: Result = {
  ...LINES,
  keepVisible: (value, view) =>
    list(value).map((tag) =>
      String(tag).replace(/(?<=^created-by-).*$/, (name) => view.hides(name) ? NOT_VISIBLE : name)
    ),
};

/** NAME VALUE a line; a value may hold blanks, or be empty. */
export const NAMED_VALUES: Result = {
  schema: { type: "object", additionalProperties: STRING },
  parse(text) {
    return Object.fromEntries(
      lines(text).map((line) => {
        const [, name, value = ""] = /^(\S+)(?:\s+(.*))?$/.exec(line.trimEnd()) ?? [];
        if (name === undefined) throw unexpected(line);
        return [name, value];
      }),
    );
  },
  format: (value) => pad(entries(value).map(([name, text]) => [name, String(text)])),
  keepVisible: hideNames,
};

/** "name: value" a line, as xl(1) prints. */
export const COLON_VALUES: Result = {
  schema: { type: "object", additionalProperties: STRING },
  parse(text) {
    return Object.fromEntries(
      lines(text).map((line) => {
        const [, name, value] = /^\s*([^:]+?)\s*:\s*(.*)$/.exec(line) ?? [];
        if (name === undefined || value === undefined) throw unexpected(line);
        return [name, value];
      }),
    );
  },
  format: (value) => entries(value).map(([name, text]) => `${name.padEnd(23)}: ${text}\n`).join(""),
  keepVisible: hideNames,
};

/** qvm-prefs and qubes-prefs: NAME, "D" for the default or "-" or "U" for no value, VALUE. */
export const PROPERTIES: Result = {
  schema: {
    type: "object",
    additionalProperties: {
      type: "object",
      properties: { value: { type: ["string", "null"] }, isDefault: { type: "boolean" } },
      required: ["value", "isDefault"],
    },
  },
  parse(text) {
    return Object.fromEntries(
      lines(text).map((line) => {
        const [, name, mark, value = ""] = /^(\S+)\s+([DU-])(?:\s+(.*))?$/.exec(line) ?? [];
        if (name === undefined) throw unexpected(line);
        return [name, { value: mark === "U" ? null : value, isDefault: mark === "D" }];
      }),
    );
  },
  format: (value) =>
    pad(
      entries(value).map(([name, property]) => {
        const { value, isDefault } = record(property);
        return [name, value === null ? "U" : isDefault === true ? "D" : "-", String(value ?? "")];
      }),
    ),
  keepVisible: (value, view) =>
    mapValues(value, (property) => {
      const { value = null, isDefault = false } = record(property);
      return { value: hideName(value, view), isDefault };
    }),
};

/** "key=value" words, one rule a line, as qvm-firewall --raw prints; a comment is the last word. */
export const FIREWALL_RULES: Result = {
  schema: { type: "array", items: { type: "object", additionalProperties: STRING } },
  parse(text) {
    return lines(text).map((line) => {
      const [words = "", comment] = line.split(/ ?\bcomment=/, 2);
      const pairs = words.split(" ").filter((word) => word !== "").map((word) => {
        const [, key, value] = /^([a-z0-9]+)=(.*)$/.exec(word) ?? [];
        if (key === undefined || value === undefined) throw unexpected(line);
        return [key, value] as const;
      });
      return Object.fromEntries(comment === undefined ? pairs : [...pairs, ["comment", comment]]);
    });
  },
  format: (value) =>
    list(value).map((rule) => `${entries(rule).map(([key, text]) => `${key}=${text}`).join(" ")}\n`)
      .join(""),
  keepVisible: (value, view) => list(value).map((rule) => hideNames(rule, view)),
};

/** Which qubes a row is about, by the text of its first cells. */
export type QubesOfRow = (row: Readonly<Record<string, JsonValue>>) => readonly string[];

interface TableShape {
  readonly columns: readonly string[];
  /** A row about a hidden qube is left out. Elsewhere a hidden name is replaced. */
  readonly qubes: QubesOfRow;
  readonly cells: (line: string, columns: readonly string[]) => readonly (string | null)[] | null;
  readonly headerLines: 0 | 1;
  readonly format: (cells: readonly (readonly (string | null)[])[]) => string;
}

function table({ columns, qubes, cells, headerLines, format }: TableShape): Result {
  const cell: JsonSchema = { type: ["string", "null"] };
  return {
    schema: {
      type: "array",
      items: {
        type: "object",
        properties: Object.fromEntries(columns.map((name) => [name, cell])),
        required: columns,
        additionalProperties: false,
      },
    },
    parse(text) {
      return lines(text).slice(headerLines).map((line) => {
        const found = cells(line, columns);
        if (found === null) throw unexpected(line);
        return Object.fromEntries(columns.map((name, index) => [name, found[index] ?? null]));
      });
    },
    format(value) {
      const rows = list(value).map((row) => {
        const cellsOfRow = record(row);
        return columns.map((name) => cellsOfRow[name] === null ? null : String(cellsOfRow[name]));
      });
      const header = columns.map((name) => name.toUpperCase());
      return format(headerLines === 0 ? rows : [header, ...rows]);
    },
    keepVisible: (value, view) =>
      list(value).filter((row) => !qubes(record(row)).some(view.hides))
        .map((row) => mapValues(row, (one) => hideName(one, view))),
  };
}

/** In a table with a column "name". Xen calls the device model of an HVM qube NAME-dm. */
const named: QubesOfRow = ({ name }) =>
  typeof name === "string" ? [name, name.replace(/-dm$/, "")] : [];

/** A row a line, its cells divided by "|", as qvm-ls --raw-data prints; "-" is no value. */
export function rows(...columns: readonly string[]): Result {
  return table({
    columns,
    qubes: named,
    headerLines: 0,
    cells(line) {
      const found = line.split("|");
      return found.length === columns.length ? found.map((one) => one === "-" ? null : one) : null;
    },
    format: (all) => all.map((row) => `${row.map((one) => one ?? "-").join("|")}\n`).join(""),
  });
}

/** A table that column(1) padded: cells end with two blanks or more. */
export function padded(
  { header, qubes = () => [] }: { readonly header: boolean; readonly qubes?: QubesOfRow },
  ...columns: readonly string[]
): Result {
  return table({
    columns,
    qubes,
    headerLines: header ? 1 : 0,
    cells(line) {
      const found = line.trimEnd().split(/ {2,}/);
      return found.length > columns.length ? null : found.map((one) => one || null);
    },
    format: (all) => pad(all.map((row) => row.map((one) => one ?? ""))),
  });
}

/** Words divided by blanks below a header, the last cell to the end of the line. */
export function words(...columns: readonly string[]): Result {
  return table({
    columns,
    qubes: named,
    headerLines: 1,
    cells(line) {
      const found = line.trim().split(/\s+/);
      const last = columns.length - 1;
      if (found.length < columns.length) return null;
      return [...found.slice(0, last), found.slice(last).join(" ")];
    },
    format: (all) => pad(all.map((row) => row.map((one) => one ?? ""))),
  });
}

function hideName(value: JsonValue, view: View): JsonValue {
  return typeof value === "string" ? view.mask(value) : value;
}

function lines(text: string): string[] {
  return text.split("\n").filter((line) => line.trim() !== "");
}

function pad(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0))
  );
  return rows.map((row) =>
    `${row.map((cell, column) => cell.padEnd((widths[column] ?? 0) + 2)).join("").trimEnd()}\n`
  ).join("");
}

/** In names as well as in values: a feature may be named after a qube. */
function hideNames(value: JsonValue, view: View): JsonValue {
  return Object.fromEntries(
    entries(value).map(([key, one]) => [view.mask(key), hideName(one, view)]),
  );
}

/** What the parser of the same form returned; anything else is a bug. */
function list(value: JsonValue): readonly JsonValue[] {
  if (Array.isArray(value)) return value;
  throw new Error("bug: not a list");
}

function record(value: JsonValue): Readonly<Record<string, JsonValue>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, JsonValue>>; // what is left of JsonValue
  }
  throw new Error("bug: not a record");
}

function entries(value: JsonValue): readonly [string, JsonValue][] {
  return Object.entries(record(value));
}

function mapValues(value: JsonValue, map: (one: JsonValue) => JsonValue): JsonValue {
  return Object.fromEntries(entries(value).map(([key, one]) => [key, map(one)]));
}

function unexpected(line: string): ResultError {
  return new ResultError(`the tool printed an unexpected line: ${printable(line)}`);
}

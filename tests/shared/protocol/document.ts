// SPDX-License-Identifier: GPL-2.0-or-later
/** Reads PROTOCOL.md and MUX.md: their tables and their bytes are checked by tests. @module */

import type { Bytes } from "../../../shared/protocol/bytes.ts";
import { fromHex } from "./vectors.ts";

const read = (name: string): string =>
  Deno.readTextFileSync(new URL(`../../../shared/protocol/${name}`, import.meta.url));
const TEXT = read("PROTOCOL.md");
const MUX_TEXT = read("MUX.md");

export interface Table {
  readonly columns: readonly string[];
  /** Cells of each row, without backquotes. */
  readonly rows: readonly (readonly string[])[];
}

/** The table after the line "<!-- table: NAME -->"; the names of MUX.md begin with "mux-". */
export function documentTable(name: string): Table {
  const text = name.startsWith("mux-") ? MUX_TEXT : TEXT;
  const after = text.split(`<!-- table: ${name} -->\n`)[1];
  if (after === undefined) throw new Error(`no table ${name}`);
  const lines = after.trimStart().split("\n");
  const end = lines.findIndex((line) => !line.startsWith("|"));
  const [columns = [], rule = [], ...rows] = lines.slice(0, end).map(cellsOf);
  if (rule.some((cell) => !/^-+$/.test(cell))) throw new Error(`table ${name} has no rule`);
  for (const row of rows) {
    if (row.length !== columns.length) throw new Error(`table ${name}: ${row[0]}: cells`);
  }
  return { columns, rows };
}

function cellsOf(line: string): string[] {
  return line.split("|").slice(1, -1).map((cell) => cell.trim().replaceAll("`", ""));
}

/** The bytes of a block "```hex NAME"; what follows a "#" is for people. */
export function documentBytes(name: string): Bytes {
  return fromHex(blockOf(`hex ${name}`).replaceAll(/#.*$/gm, "").replaceAll(/\s/g, ""));
}

/** The text of a block "```text NAME", with its last newline. */
export function documentText(name: string): string {
  return blockOf(`text ${name}`);
}

function blockOf(info: string): string {
  const block = TEXT.split(`\n\`\`\`${info}\n`)[1]?.split(/^```$/m)[0];
  if (block === undefined) throw new Error(`PROTOCOL.md has no block ${info}`);
  return block;
}

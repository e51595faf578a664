// SPDX-License-Identifier: GPL-2.0-or-later
/** Tables as column(1) prints them. @module */

/** Columns as wide as their widest cell, two spaces between, none at the end of a line. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [i, text] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, text.length);
  }
  const lines = rows.map((row) =>
    row.map((text, i) => i === row.length - 1 ? text : text.padEnd(widths[i] ?? 0)).join("  ")
  );
  return lines.map((line) => `${line}\n`).join("");
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** Text of the gateway, the proxy and OpenClaw, on its way to a terminal. Pure. @module */

import { printable } from "../../shared/protocol/printable.ts";

/** Made safe by printable(), without the quotes: for a field or a line that is nothing else. */
export function shown(untrustedText: string, maxChars = 200): string {
  return printable(untrustedText, maxChars).replace(/^"/, "").replace(/"(\.\.\.)?$/, "$1")
    .replace(/\\(["\\])/g, "$1");
}

/** Each line on its own; a coloured line loses its colours first. */
export function shownLines(untrustedText: string, maxChars = 2000): string {
  const lines = untrustedText.replace(/\n$/, "").split("\n");
  return lines.map((line) => shown(withoutStyle(line), maxChars) + "\n").join("");
}

/** Without the sequences that only colour text. */
export function withoutStyle(text: string): string {
  // deno-lint-ignore no-control-regex -- control sequences are what it looks for
  return text.replace(/\x1b\[[0-9;]*m/g, "");
}

const SECRETS: readonly RegExp[] = [
  /((?:token|key|secret|password)["']?\s*[=:]\s*["']?)[^\s"'&,}]{6,}/gi,
  /(bearer\s+)\S{6,}/gi,
  /\b(sk-)[\w-]{12,}/g,
];

/** Removes what looks like a key or a token from a log line: someone may be looking on. */
export function withoutSecrets(text: string): string {
  return SECRETS.reduce((clean, pattern) => clean.replace(pattern, "$1[secret]"), text);
}

/** JSON in ASCII only: safe for a terminal whatever the strings in it hold. */
export function asciiJson(value: unknown, space?: number): string {
  return JSON.stringify(value, null, space).replace(
    /[^\x20-\x7e\n]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Columns, each as wide as its widest cell; numbers stand to the right. */
export function table(rows: readonly (readonly (string | number)[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [at, cell] of row.entries()) {
      widths[at] = Math.max(widths[at] ?? 0, String(cell).length);
    }
  }
  return rows.map((row) =>
    row.map((cell, at) =>
      typeof cell === "number"
        ? String(cell).padStart(widths[at] ?? 0)
        : cell.padEnd(widths[at] ?? 0)
    ).join("  ").trimEnd() + "\n"
  ).join("");
}

export function megabytes(bytes: number | null): string {
  return bytes === null ? "" : `${Math.round(bytes / 1e6)} MB`;
}

/** ISO 8601; null for what no clock shows. */
export function isoTime(untrustedMs: number | null): string | null {
  const isTime = untrustedMs !== null && Math.abs(untrustedMs) < 8.64e15; // as ECMAScript says
  return isTime ? new Date(untrustedMs).toISOString() : null;
}

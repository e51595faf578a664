// SPDX-License-Identifier: GPL-2.0-or-later
/** The one function through which hostile text reaches a log or a terminal. @module */

/**
 * Makes hostile text safe for one log line: ASCII only, capped, quoted.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(printable("a\nb\u0007"), '"a\\nb\\u{7}"');
 * ```
 */
export function printable(untrustedText: string, maxChars = 80): string {
  const visible = untrustedText.slice(0, maxChars)
    .replace(/["\\]/g, "\\$&")
    .replace(/\n/g, "\\n")
    .replace(/\t/g, "\\t")
    .replace(/[^\x20-\x7e]/g, (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`);
  return `"${visible}"${untrustedText.length > maxChars ? "..." : ""}`;
}

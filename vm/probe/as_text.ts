// SPDX-License-Identifier: GPL-2.0-or-later
/** Values of JSON that should be text. Pure. @module */

/** Text and numbers; nothing for the rest: String() of deeply nested lists overflows the stack. */
export function asText(untrusted: unknown): string {
  return typeof untrusted === "string" || typeof untrusted === "number" ? String(untrusted) : "";
}

/** The strings of a list; other elements are skipped. */
export function asTexts(untrusted: unknown): readonly string[] {
  return Array.isArray(untrusted) ? untrusted.map(asText).filter((text) => text !== "") : [];
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** Words as a line that a shell reads back as the same words. @module */

const PLAIN = /^[A-Za-z0-9_@%+=:,.\/-]+$/;

export function shellQuote(words: readonly string[]): string {
  return words.map((word) => PLAIN.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)
    .join(" ");
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Splits a script into words if that is all bash would do with it. A script with anything that bash
 * might expand, substitute, redirect or join is not a list of words and stays a script.
 *
 *     qvm-prefs work 'default user' "x y"     four words
 *     qvm-ls; id     qvm-ls *     $(id)     a\ b     two lines     not a list of words
 *
 * The rules are narrower than bash's: refusing too much only means that an operation is not recognised;
 * accepting too much would undermine the policy.
 *
 * @module
 */

/** Unquoted, these mean nothing to bash: no expansion, no operator, no blank of any locale. */
const PLAIN = /^[A-Za-z0-9_.,:\/=@%+-]+/;
/** Between single quotes everything is literal; control characters are left to scripts. */
const SINGLE_QUOTED = /^'([^'\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*)'/u;
/** Between double quotes as well, except what bash expands, escapes or recalls. */
const DOUBLE_QUOTED = /^"([^"$`\\!\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*)"/u;
const BLANKS = /^[ \t]+/;

/** @returns the words that bash would run, or null if it would do more than split them */
export function plainWords(script: string): readonly string[] | null {
  let rest = script.replace(/^[ \t]+/, "").replace(/[ \t]*\n?$/, "");
  const words: string[] = [];
  while (rest !== "") {
    const word = takeWord(rest);
    if (word === null) return null;
    words.push(word.text);
    rest = rest.slice(word.length);
    const blanks = BLANKS.exec(rest)?.[0] ?? "";
    if (blanks === "" && rest !== "") return null;
    rest = rest.slice(blanks.length);
  }
  return words.length === 0 ? null : words;
}

/** One word: pieces side by side, each plain or quoted. */
function takeWord(text: string): { readonly text: string; readonly length: number } | null {
  let word = "";
  let at = 0;
  for (;;) {
    const rest = text.slice(at);
    const plain = PLAIN.exec(rest);
    const quoted = SINGLE_QUOTED.exec(rest) ?? DOUBLE_QUOTED.exec(rest);
    const [whole, inner] = plain !== null ? [plain[0], plain[0]] : [quoted?.[0], quoted?.[1]];
    if (whole === undefined || inner === undefined) break;
    word += inner;
    at += whole.length;
  }
  return at === 0 ? null : { text: word, length: at };
}

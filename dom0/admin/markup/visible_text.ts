// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Untrusted text, cut into plain parts and characters that are invisible, move others, or look like
 * another letter: the latter are named, so that a person sees that they are there.
 *
 * @module
 */

export interface TextPart {
  readonly text: string;
  /** The text is the name of what stands here, not the thing itself. */
  readonly isNamed: boolean;
}

const CONTROL_NAMES: ReadonlyMap<number, string> = new Map([
  [0x00, "NUL"],
  [0x07, "BEL"],
  [0x08, "BS"],
  [0x09, "TAB"],
  [0x0a, "LF"],
  [0x0d, "CR"],
  [0x1b, "ESC"],
  [0x7f, "DEL"],
  [0xa0, "U+00A0 no-break space"],
  [0xad, "U+00AD soft hyphen"],
  [0x200b, "U+200B zero-width space"],
  [0x200d, "U+200D joiner"],
  [0x200e, "U+200E left-to-right"],
  [0x200f, "U+200F right-to-left"],
  [0x202a, "U+202A left-to-right"],
  [0x202b, "U+202B right-to-left"],
  [0x202c, "U+202C end of direction"],
  [0x202d, "U+202D left-to-right"],
  [0x202e, "U+202E right-to-left"],
  [0xfeff, "U+FEFF byte order mark"],
  [0xfffd, "not UTF-8"],
] as [number, string][]);

/** ESC with the sequence that it begins: "ESC[2J"; else each control, format or odd space. */
const HIDDEN =
  // deno-lint-ignore no-control-regex
  /\x1b(?:\[[0-?]*[ -\/]*[@-~]|\][^\x07\x1b]{0,80}|[ -~])?|[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}\u{fffd}]|(?! )\p{Zs}|\p{Cs}/gu;
const WORD = /[\p{L}\p{M}\p{N}_-]+/gu;
const LATIN = /\p{Script=Latin}/u;
/** Alphabets with letters that look like Latin ones. */
const LOOKALIKE = /[\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Armenian}\p{Script=Cherokee}]/gu;
/** A line of one character again and again is said once. */
const MOST_IN_A_ROW = 3;

/** @param keep characters that are shown as they are although they are hidden, as "\n" in a script */
export function visibleParts(untrustedText: string, keep = ""): readonly TextPart[] {
  const parts: TextPart[] = [];
  let plainFrom = 0;
  const plain = (to: number): void => {
    if (to > plainFrom) parts.push({ text: untrustedText.slice(plainFrom, to), isNamed: false });
  };
  for (const { at, length, name } of hiddenIn(untrustedText, keep)) {
    if (at < plainFrom) continue;
    plain(at);
    parts.push({ text: name, isNamed: true });
    plainFrom = at + length;
  }
  plain(untrustedText.length);
  return shortened(parts);
}

/** The same as one string, for where no box can be drawn: an attribute, a title. */
export function visibleText(untrustedText: string): string {
  return visibleParts(untrustedText).map(({ text, isNamed }) =>
    isNamed ? `\u27e8${text}\u27e9` : text
  )
    .join("");
}

/** How many characters stand in boxes. */
export function countHidden(untrustedText: string): number {
  return hiddenIn(untrustedText, "\n\t").length;
}

interface Hidden {
  readonly at: number;
  readonly length: number;
  readonly name: string;
}

function hiddenIn(untrustedText: string, keep: string): readonly Hidden[] {
  const found: Hidden[] = [];
  for (const { 0: text, index } of untrustedText.matchAll(HIDDEN)) {
    if (!keep.includes(text)) found.push({ at: index, length: text.length, name: nameOf(text) });
  }
  for (const { 0: word, index } of untrustedText.matchAll(WORD)) {
    if (!LATIN.test(word)) continue;
    for (const { 0: letter, index: inWord } of word.matchAll(LOOKALIKE)) {
      const name = `${codePoint(letter)} not a Latin ${letter}`;
      found.push({ at: index + inWord, length: letter.length, name });
    }
  }
  return found.sort((one, other) => one.at - other.at);
}

function nameOf(text: string): string {
  if (text.startsWith("\x1b") && text.length > 1) return `ESC${text.slice(1)}`;
  const code = text.codePointAt(0) ?? 0;
  return CONTROL_NAMES.get(code) ?? codePoint(text);
}

function codePoint(char: string): string {
  return `U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
}

/** LF LF LF LF LF becomes LF LF LF and "2 more LF". */
function shortened(parts: readonly TextPart[]): readonly TextPart[] {
  const short: TextPart[] = [];
  for (let at = 0; at < parts.length;) {
    const part = parts[at];
    if (part === undefined) break;
    let end = at + 1;
    while (part.isNamed && parts[end]?.isNamed && parts[end]?.text === part.text) end++;
    short.push(...parts.slice(at, Math.min(end, at + MOST_IN_A_ROW)));
    const more = end - at - MOST_IN_A_ROW;
    if (more > 0) short.push({ text: `${more} more ${part.text}`, isNamed: true });
    at = end;
  }
  return short;
}

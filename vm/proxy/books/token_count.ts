// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * How many tokens a text has, roughly, piece by piece as it comes. A real tokenizer has a
 * table of 200,000 entries, 2 MB of program and some 50 MB of memory; this one cuts a text as they do
 * (words with the blank before them, three digits, runs of signs, see the pattern of OpenAI's
 * o200k_base) and knows what such a piece costs on average. It is never asked where a provider says
 * what it counted.
 *
 * @module
 */

/** With which a model begins a call of a tool. */
export const CALL_TOKENS = 8;

export interface TokenCounter {
  /** Adds what follows; a piece may be cut in two between calls. */
  add(text: string): void;
  /** Of all so far. */
  tokens(): number;
}

const ASCII = 128;
const LF = 0x0a;
const DIGITS_IN_A_TOKEN = 3;

/** Tokens of a word behind a blank, and of one without (a part of a name), by its length. */
const WORD = [0, 1, 1, 1.01, 1.01, 1.02, 1.06, 1.12, 1.25, 1.32, 1.36, 1.4, 1.5, 1.6, 1.75];
const INNER_WORD = [0, 1, 1, 1.06, 1.06, 1.06, 1.1, 1.2, 1.45, 1.45, 1.5, 1.65, 1.7, 1.8, 1.9];
/** Of keys, digests, base64: a token has fewer letters. */
const CHARS_OF_NOISE = 1.9;

/**
 * First and last letter of a script, and what one of its letters costs beside a word's first token.
 * The first row that fits counts. By texts of some 7,000 tokens each (TypeScript's messages in their
 * translations) and OpenAI's o200k_base.
 */
const SCRIPTS: readonly (readonly [from: number, to: number, tokens: number])[] = [
  [0x00df, 0x00df, 1], // German: a word with one of these four is long
  [0x00e4, 0x00e4, 1],
  [0x00f6, 0x00f6, 1],
  [0x00fc, 0x00fc, 1],
  [0x0080, 0x00ff, 0.5], // Latin with accents: a word with one is longer than without
  [0x011e, 0x011f, 0.7], // Turkish
  [0x0130, 0x0131, 0.7],
  [0x015e, 0x015f, 0.7],
  [0x0100, 0x024f, 1.4], // Polish, Czech
  [0x0370, 0x03ff, 0.4],
  [0x0400, 0x052f, 0.23],
  [0x0590, 0x06ff, 0.34],
  [0x0900, 0x0dff, 0.35],
  [0x0e00, 0x0e7f, 0.36],
  [0x10a0, 0x10ff, 0.42],
  [0x1100, 0x11ff, 0.6],
  [0x1e00, 0x1eff, 0.45],
  [0x2000, 0x2fff, 0.8], // signs
  [0x3000, 0x303f, 0.75],
  [0x3040, 0x30ff, 0.75],
  [0x3400, 0x9fff, 0.68],
  [0xac00, 0xd7af, 0.66],
  [0xd800, 0xdfff, 0.9], // half of an emoji, for the most part
];
/** ".stream" is one token, ".reclamation" is three. */
const SIGN_OF_A_WORD = 0.45;
const USUAL_FOREIGN = 0.6;

function foreignTokens(code: number): number {
  return SCRIPTS.find(([from, to]) => code >= from && code <= to)?.[2] ?? USUAL_FOREIGN;
}

/** Kinds of pieces, which are kinds of characters, too. */
const [NONE, LOWER, UPPER, DIGIT, BLANK, LINE, SIGN, FOREIGN] = [0, 1, 2, 3, 4, 5, 6, 7] as const;
const WORDS = LOWER; // the kind of a piece of either case

const KIND_OF = new Uint8Array(ASCII).map((_, code) => {
  const letter = String.fromCharCode(code);
  if (/[a-z]/.test(letter)) return LOWER;
  if (/[A-Z]/.test(letter)) return UPPER;
  if (/[0-9]/.test(letter)) return DIGIT;
  if (letter === " ") return BLANK;
  return /[\t\n\r]/.test(letter) ? LINE : SIGN;
});

export function createTokenCounter(): TokenCounter {
  let done = 0;
  let piece: number = NONE;
  let length = 0;
  let uppers = 0;
  let hasBlank = false; // one blank is part of the word or the signs behind it
  let behindDigit = false;
  let wasLower = false;

  const open = (): number =>
    piece === WORDS
      ? wordTokens(length, uppers, hasBlank, behindDigit)
      : otherTokens(piece, length, hasBlank);
  const begin = (next: number): void => {
    const takesBlank = piece === BLANK && next !== BLANK && next !== LINE;
    const isTaken = piece === SIGN && next === WORDS && length === 1 && !hasBlank;
    // A run of blanks gives its last one to what follows, and one sign is part of a word.
    done += takesBlank ? (length > 1 ? 1 : 0) : isTaken ? SIGN_OF_A_WORD : open();
    behindDigit = piece === DIGIT && next === WORDS;
    piece = next;
    length = uppers = 0;
    hasBlank = takesBlank;
    wasLower = false;
  };
  /** @param count of characters of one kind */
  const extend = (kind: number, count: number): void => {
    if (kind === LOWER) {
      if (piece !== WORDS) begin(WORDS);
      wasLower = true;
    } else if (kind === UPPER) {
      if (piece !== WORDS || wasLower) begin(WORDS);
      uppers += count;
    } else if (piece !== kind) begin(kind);
    length += count;
  };
  return {
    add(text) {
      for (let at = 0; at < text.length;) {
        const code = text.charCodeAt(at);
        const kind = code < ASCII ? KIND_OF[code] ?? SIGN : FOREIGN;
        if (kind === FOREIGN) {
          if (piece !== WORDS) begin(NONE);
          done += foreignTokens(code);
          at++;
          continue;
        }
        const from = at++;
        if (code === LF && piece === SIGN) continue; // part of the signs before it
        while (at < text.length && KIND_OF[text.charCodeAt(at)] === kind) at++;
        extend(kind, at - from);
      }
    },
    tokens: () => done + open(),
  };
}

/** Of a piece that is no word. */
function otherTokens(piece: number, length: number, hasBlank: boolean): number {
  switch (piece) {
    case DIGIT:
      return Math.ceil(length / DIGITS_IN_A_TOKEN) + (hasBlank ? 0.9 : 0);
    case SIGN:
      return length <= 3 ? 1 : 1 + (length - 3) / 3;
    case BLANK:
      return length > 1 ? 1 : 0;
    case LINE:
      return 1;
    default:
      return 0;
  }
}

function wordTokens(
  length: number,
  uppers: number,
  hasBlank: boolean,
  behindDigit: boolean,
): number {
  if (behindDigit && length > 1) return Math.max(1, length / CHARS_OF_NOISE);
  const table = hasBlank ? WORD : INNER_WORD;
  const longest = table.length - 1;
  const tokens = length <= longest
    ? table[length] ?? 1
    : (table[longest] ?? 1) + (length - longest) / 5;
  if (uppers < 2) return tokens;
  const isMixed = uppers < length; // "GVsb": no name, a part of a key
  return Math.max(tokens, isMixed ? length / CHARS_OF_NOISE : 1 + (length - 2) * 0.2);
}

export function countTokens(text: string): number {
  const counter = createTokenCounter();
  counter.add(text);
  return Math.ceil(counter.tokens());
}

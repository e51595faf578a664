// SPDX-License-Identifier: GPL-2.0-or-later
/** Inputs that are nearly right: a valid one with a few changes, or plain noise. @module */

import { type Bytes, concat, utf8 } from "../../shared/protocol/bytes.ts";
import type { Prng } from "./prng.ts";

type Mutate = (bytes: Bytes, prng: Prng, corpus: readonly Bytes[]) => Bytes;

/** Bytes and texts at which parsers have gone wrong before. */
const TOKENS: readonly Bytes[] = [
  ...["\0", "\n", "\r\n", "\n\n", " ", "\t", "-", "--", "/", "../", "0", "00", "+", "0x", "\x7f"],
  ...["\x1b[2J", "\ufeff", "\u2028", "\uff11", "e1", "=", "a".repeat(70), "9".repeat(20)],
].map(utf8).concat([
  new Uint8Array([0xff]),
  new Uint8Array([0xc0, 0x80]),
  new Uint8Array([0xed, 0xa0, 0x80]),
  new Uint8Array([0, 0, 0, 0]),
  new Uint8Array([0xff, 0xff, 0xff, 0xff]),
  new Uint8Array([0x80, 0, 0, 0]),
]);

const splice = (bytes: Bytes, at: number, remove: number, insert: Uint8Array): Bytes =>
  concat([bytes.subarray(0, at), insert, bytes.subarray(at + remove)]);

const MUTATORS: readonly Mutate[] = [
  function flipBit(bytes, prng) {
    if (bytes.length === 0) return bytes;
    const changed = bytes.slice();
    const at = prng.below(bytes.length);
    changed[at] = (changed[at] ?? 0) ^ (1 << prng.below(8));
    return changed;
  },
  function replaceByte(bytes, prng) {
    if (bytes.length === 0) return bytes;
    return splice(bytes, prng.below(bytes.length), 1, prng.bytes(1));
  },
  function cutEnd(bytes, prng) {
    return bytes.slice(0, prng.below(bytes.length + 1));
  },
  function removePart(bytes, prng) {
    return splice(bytes, prng.below(bytes.length + 1), 1 + prng.below(8), new Uint8Array(0));
  },
  function insertToken(bytes, prng) {
    return splice(bytes, prng.below(bytes.length + 1), 0, prng.pick(TOKENS));
  },
  function overwriteWithToken(bytes, prng) {
    const token = prng.pick(TOKENS);
    return splice(bytes, prng.below(bytes.length + 1), token.length, token);
  },
  function repeatPart(bytes, prng) {
    const at = prng.below(bytes.length + 1);
    return splice(bytes, at, 0, bytes.slice(at, at + 1 + prng.below(40)));
  },
  function repeatLine(bytes, prng) {
    const lines = linesOf(bytes);
    const at = prng.below(lines.length);
    return concat([...lines.slice(0, at + 1), ...lines.slice(at)]);
  },
  function swapLines(bytes, prng) {
    const lines = linesOf(bytes);
    const [first, second] = [prng.below(lines.length), prng.below(lines.length)];
    const [one, other] = [lines[first], lines[second]];
    if (one === undefined || other === undefined) return bytes;
    lines[first] = other;
    lines[second] = one;
    return concat(lines);
  },
  function joinAnother(bytes, prng, corpus) {
    const other = prng.pick(corpus);
    const from = prng.below(other.length + 1);
    return concat([bytes.subarray(0, prng.below(bytes.length + 1)), other.subarray(from)]);
  },
  function changeDigit(bytes, prng) {
    const digits = [...bytes.keys()].filter((i) => isDigit(bytes[i] ?? 0));
    if (digits.length === 0) return bytes;
    return splice(bytes, prng.pick(digits), 1, utf8(String(prng.below(10))));
  },
];

/** One input: the seed of the generator decides it, and nothing else. */
export function makeInput(prng: Prng, corpus: readonly Bytes[]): Bytes {
  if (corpus.length === 0 || prng.oneIn(10)) return noise(prng);
  let bytes = prng.pick(corpus);
  for (let changes = prng.below(4); changes > 0; changes--) {
    bytes = prng.pick(MUTATORS)(bytes, prng, corpus);
  }
  return bytes.slice();
}

function noise(prng: Prng): Bytes {
  const bytes = prng.bytes(prng.below(prng.oneIn(8) ? 600 : 40));
  if (prng.oneIn(2)) return bytes;
  return bytes.map((byte) => 0x20 + byte % 0x5f); // ASCII that can be seen
}

function linesOf(bytes: Bytes): Bytes[] {
  const lines: Bytes[] = [];
  for (let from = 0; from < bytes.length || lines.length === 0;) {
    const newline = bytes.indexOf(10, from);
    const to = newline < 0 ? bytes.length : newline + 1;
    lines.push(bytes.slice(from, to));
    from = to;
  }
  return lines;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

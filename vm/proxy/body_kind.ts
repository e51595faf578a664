// SPDX-License-Identifier: GPL-2.0-or-later
/** What an answer is, by its bytes: servers and what lies before them name it wrongly. @module */

export type BodyKind = "events" | "json" | "other";

/** Enough for the longest name of a field, behind blanks and a byte order mark. */
const LOOKED_AT_BYTES = 64;

const decoder = new TextDecoder();

/** @param bytes the first ones; a comment or a field begins a stream, a brace an object */
export function kindOfBytes(bytes: Uint8Array): BodyKind {
  const text = decoder.decode(bytes.subarray(0, LOOKED_AT_BYTES)).trimStart();
  if (/^(?:data|event|id|retry)?:/.test(text)) return "events";
  return /^[{[]/.test(text) ? "json" : "other";
}

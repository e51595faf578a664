// SPDX-License-Identifier: GPL-2.0-or-later
/** Recognises an answer by its first bytes: servers and proxies mislabel content types. @module */

export type BodyKind = "events" | "json" | "other";

/** Enough for the longest field name, after blanks and a byte order mark. */
const LOOKED_AT_BYTES = 64;

const decoder = new TextDecoder();

/** @param bytes the first ones; a stream begins with a comment or a field, JSON with a brace */
export function kindOfBytes(bytes: Uint8Array): BodyKind {
  const text = decoder.decode(bytes.subarray(0, LOOKED_AT_BYTES)).trimStart();
  if (/^(?:data|event|id|retry)?:/.test(text)) return "events";
  return /^[{[]/.test(text) ? "json" : "other";
}

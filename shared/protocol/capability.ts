// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What a side can do beyond the first form of protocol 2. Each names what it can; what both have
 * named may be used in the session. Words that this side does not know are ignored: they are for
 * peers that are newer.
 *
 *     ends        outcomes say which limit was in force, and may be of kinds and have reasons that
 *                 the first form did not know
 *     operations  requests may name an operation or be a plan, may have flags and a reason, and may
 *                 wait for a person; refusals may have the reasons that came with this
 *     payloads    requests may bring a payload, which dom0 pulls; and be refused for it
 *     left        outcomes say how many processes a command left running
 *     wide        output comes in larger frames, and more of it may be on its way
 *     streams     requests may bring a live stream, chunk by chunk; outcomes may say that it was bad
 *
 * @module
 */

import { asLatin1, type Bytes, utf8 } from "./bytes.ts";
import { MAX_CAPABILITIES, MAX_CAPABILITY_CHARS } from "./limits.ts";
import { ProtocolError } from "./refusal.ts";

export const CAPABILITIES = ["ends", "operations", "payloads", "left", "wide", "streams"] as const;
export type Capability = typeof CAPABILITIES[number];

/** Until it is known what the peer can do: nothing. */
export const NO_CAPABILITIES: ReadonlySet<Capability> = new Set();

const WORD = /^[a-z][a-z0-9-]*$/;

/**
 * Words with one space between them, each once; no byte at all is no word.
 *
 * @throws {ProtocolError} "bad-argument", or "too-long" for more or longer words than there may be
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const words = parseCapabilities(new TextEncoder().encode("ends later"));
 * assertEquals(words, ["ends", "later"]);
 * ```
 */
export function parseCapabilities(untrustedBytes: Uint8Array): readonly string[] {
  if (untrustedBytes.length === 0) return [];
  const words = asLatin1(untrustedBytes).split(" ");
  if (words.length > MAX_CAPABILITIES) throw new ProtocolError("too-long", "capabilities");
  for (const word of words) {
    if (word.length > MAX_CAPABILITY_CHARS) throw new ProtocolError("too-long", "capability");
    if (!WORD.test(word)) throw new ProtocolError("bad-argument", "capability");
  }
  if (new Set(words).size < words.length) throw new ProtocolError("bad-argument", "word twice");
  return words;
}

/**
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(encodeCapabilities(["ends", "operations"]).length, "ends operations".length);
 * ```
 */
export function encodeCapabilities(words: readonly string[]): Bytes {
  return utf8(words.join(" "));
}

/**
 * The peer's capabilities that this side knows.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([...inCommon(["ends", "unheard-of"])], ["ends"]);
 * ```
 */
export function inCommon(words: readonly string[]): ReadonlySet<Capability> {
  return new Set(CAPABILITIES.filter((known) => words.includes(known)));
}

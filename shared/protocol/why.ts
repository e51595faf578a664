// SPDX-License-Identifier: GPL-2.0-or-later
/** The reason that a VM gives for a request: a claim, shown to the person who decides. @module */

import { MAX_WHY_CHARS } from "./limits.ts";
import { ProtocolError } from "./refusal.ts";

/** Control characters, and the two separators that break a line like a newline. */
const BREAKS_A_LINE = /[\p{Cc}\p{Zl}\p{Zp}]/u;

/**
 * One line of 1 to 200 characters (code points). Whoever shows it must deal with the other things that text can do to a
 * terminal, such as writing from right to left: see printable.ts.
 *
 * @throws {ProtocolError} "bad-argument"
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * assertEquals(parseWhy("nightly backup"), "nightly backup");
 * assertThrows(() => parseWhy("two\nlines"));
 * ```
 */
export function parseWhy(untrustedText: string): string {
  const chars = [...untrustedText].length;
  if (chars < 1 || chars > MAX_WHY_CHARS) {
    throw new ProtocolError("bad-argument", `a reason of ${chars} characters`);
  }
  if (BREAKS_A_LINE.test(untrustedText) || !untrustedText.isWellFormed()) {
    throw new ProtocolError("bad-argument", "a reason with control characters");
  }
  return untrustedText;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** A provider may quote the key in an error in the middle of its stream. @module */

import type { Bytes } from "../bytes.ts";

const ERROR = new TextEncoder().encode('"error"');
const [QUOTE, LETTER_E] = ERROR;

/**
 * Returns the same bytes, unless they hold an error from which `scrub` takes something out.
 *
 * @param events whole ones, so that no secret is cut in two
 */
export function scrubErrors(events: Bytes, scrub: (text: string) => string): Bytes {
  if (!namesError(events)) return events;
  const text = new TextDecoder().decode(events);
  const clean = scrub(text);
  return clean === text ? events : new TextEncoder().encode(clean);
}

/** By hand: each piece of each stream passes here, and decoding it costs five times as much. */
function namesError(bytes: Bytes): boolean {
  for (let at = 0; at + ERROR.length <= bytes.length; at++) {
    if (bytes[at] !== QUOTE || bytes[at + 1] !== LETTER_E) continue;
    if (ERROR.every((byte, index) => bytes[at + index] === byte)) return true;
  }
  return false;
}

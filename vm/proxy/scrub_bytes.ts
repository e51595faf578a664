// SPDX-License-Identifier: GPL-2.0-or-later
/** A provider may quote the key in an error in the middle of its stream. @module */

type Bytes = Uint8Array<ArrayBuffer>;

// One byte is one letter: what is looked for is ASCII, and decoding costs next to nothing.
const decoder = new TextDecoder("latin1");

/**
 * The same bytes, unless they hold an error, and in it what `scrub` takes out.
 *
 * @param events whole ones, so that no secret is cut in two
 */
export function scrubErrors(events: Bytes, scrub: (text: string) => string): Bytes {
  if (!decoder.decode(events).includes('"error"')) return events;
  const text = new TextDecoder().decode(events);
  const clean = scrub(text);
  return clean === text ? events : new TextEncoder().encode(clean);
}

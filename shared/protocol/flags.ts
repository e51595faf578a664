// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * How a request is to be treated, as the line "flags" has it: "-", or words in alphabetical order, each
 * once, joined by commas.
 *
 *     explain    say what dom0 would do with it, and do nothing
 *     json       only of an operation: its result as the typed value of the table, one JSON text
 *
 * @module
 */

import { ProtocolError } from "./refusal.ts";

/** In alphabetical order, as in the line. */
export const REQUEST_FLAGS = ["explain", "json"] as const;
export type RequestFlag = typeof REQUEST_FLAGS[number];

export const NO_FLAGS: ReadonlySet<RequestFlag> = new Set();

/**
 * @throws {ProtocolError} "bad-envelope" for an unknown word or another spelling
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * assertEquals(parseFlags("-").size, 0);
 * assertThrows(() => parseFlags("no-such-flag"));
 * ```
 */
export function parseFlags(untrustedText: string): ReadonlySet<RequestFlag> {
  const words = untrustedText.split(",");
  const flags = new Set(REQUEST_FLAGS.filter((known) => words.includes(known)));
  if (encodeFlags(flags) !== untrustedText) throw new ProtocolError("bad-envelope", "flags");
  return flags;
}

/**
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(encodeFlags(new Set()), "-");
 * ```
 */
export function encodeFlags(flags: ReadonlySet<RequestFlag>): string {
  return REQUEST_FLAGS.filter((flag) => flags.has(flag)).join(",") || "-";
}

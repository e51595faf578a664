// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What a request brings besides its body: a file, or what was piped to its client. The bytes lie beside
 * the request in the VM until dom0 pulls them; the request's MAC covers how many they are, and their
 * hash. So dom0 has checked all of them before it asks a person or runs anything.
 *
 *     payload 1048576 30e14955ebf1352266dc2ff8067e68104607e750abb9d3b36582b8af909fcb58
 *     payload live
 *
 * A live stream is not known beforehand: each of its chunks has a MAC of its own, in live/chunk.ts.
 *
 * @module
 */

import { parseDecimal, parseHex } from "./bytes.ts";
import { MAX_PAYLOAD_BYTES } from "./limits.ts";

export interface Payload {
  readonly bytes: number;
  /** 64 hex digits. */
  readonly sha256: string;
}

/** A live stream. */
export const LIVE = "live";

/** What a request brings; null: nothing. */
export type Brings = Payload | typeof LIVE | null;

/** SHA-256, in bytes. */
const HASH_BYTES = 32;

/**
 * The two words of the line.
 *
 * @throws {ProtocolError} "bad-argument"
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parsePayload("7", "0".repeat(64)).bytes, 7);
 * ```
 */
export function parsePayload(untrustedBytes: string, untrustedHash: string): Payload {
  parseHex(untrustedHash, HASH_BYTES);
  return { bytes: parseDecimal(untrustedBytes, 0, MAX_PAYLOAD_BYTES), sha256: untrustedHash };
}

/**
 * As in the line, and under the MAC.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(encodePayload({ bytes: 7, sha256: "0".repeat(64) }), `7 ${"0".repeat(64)}`);
 * ```
 */
export function encodePayload(brings: Payload | typeof LIVE): string {
  return brings === LIVE ? LIVE : `${brings.bytes} ${brings.sha256}`;
}

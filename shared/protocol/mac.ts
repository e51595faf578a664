// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What a MAC covers: a label, then every field, each after its length. So a MAC made for one purpose
 * fits no other, and no two lists of fields give the same bytes.
 *
 * @module
 */

import { type Bytes, concat, uint32, utf8 } from "./bytes.ts";

export const MAC_BYTES = 32;

export type MacLabel =
  | "qvm-remote/2/request"
  | "qvm-remote/2/request-with-payload"
  | "qvm-remote/2/result"
  | "qvm-remote/2/stream-key";

/**
 * @example
 * ```ts
 * import { assertNotEquals } from "@std/assert";
 *
 * const label = "qvm-remote/2/request";
 * assertNotEquals(macInput(label, ["ab", "c"]), macInput(label, ["a", "bc"]));
 * ```
 */
export function macInput(label: MacLabel, fields: readonly (string | Uint8Array)[]): Bytes {
  const parts = [label, ...fields].map((field) => typeof field === "string" ? utf8(field) : field);
  return concat(parts.flatMap((part) => [uint32(part.length), part]));
}

/**
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseAuthKey } from "./auth_key.ts";
 *
 * const { protocol2 } = await parseAuthKey("0".repeat(64));
 * assertEquals((await computeMac(protocol2, new Uint8Array(3))).length, MAC_BYTES);
 * ```
 */
export async function computeMac(key: CryptoKey, input: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, input));
}

/**
 * Compares in constant time: WebCrypto's HMAC verify does.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { parseAuthKey } from "./auth_key.ts";
 *
 * const { protocol2 } = await parseAuthKey("0".repeat(64));
 * const input = new TextEncoder().encode("text");
 * assert(await verifyMac(protocol2, await computeMac(protocol2, input), input));
 * assert(!await verifyMac(protocol2, new Uint8Array(MAC_BYTES), input));
 * ```
 */
export function verifyMac(key: CryptoKey, untrustedMac: Bytes, input: Bytes): Promise<boolean> {
  return crypto.subtle.verify("HMAC", key, untrustedMac, input);
}

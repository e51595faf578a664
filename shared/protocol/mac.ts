// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What is under a MAC: a label, then every field, each behind its length. A MAC made for one
 * purpose fits no other, and no two lists of fields have the same bytes.
 *
 * @module
 */

import { type Bytes, concat, uint32, utf8 } from "./bytes.ts";

export const MAC_BYTES = 32;

export type MacLabel = "qvm-remote/2/request" | "qvm-remote/2/result";

export function macInput(label: MacLabel, fields: readonly (string | Uint8Array)[]): Bytes {
  const parts = [label, ...fields].map((field) => typeof field === "string" ? utf8(field) : field);
  return concat(parts.flatMap((part) => [uint32(part.length), part]));
}

export async function computeMac(key: CryptoKey, input: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, input));
}

/** Compares in constant time: WebCrypto's HMAC verify does. */
export function verifyMac(key: CryptoKey, untrustedMac: Bytes, input: Bytes): Promise<boolean> {
  return crypto.subtle.verify("HMAC", key, untrustedMac, input);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** The key that a VM and dom0 share: 32 random bytes, kept as 64 hex digits in one line. @module */

import { parseHex, toHex, utf8 } from "./bytes.ts";
import { ProtocolError } from "./refusal.ts";

export const AUTH_KEY_BYTES = 32;
/** Longest key file worth reading: 64 digits, and some white space that an editor left. */
export const MAX_KEY_FILE_BYTES = 80;
const FINGERPRINT_LABEL = "qvm-remote/key-fingerprint";
const FINGERPRINT_BYTES = 16;

/** A key ready for use. Holds no text of the key, so it cannot be printed by mistake. */
export interface AuthKey {
  readonly protocol2: CryptoKey;
  /** Protocol 1 uses the 64 hex digits themselves, as ASCII, for a key. */
  readonly protocol1: CryptoKey;
  /** What people compare: a hash of the key, never a part of it. */
  readonly fingerprint: string;
}

/**
 * @throws {ProtocolError} "bad-argument"; the error does not repeat the text.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const key = await parseAuthKey("0123456789abcdef".repeat(4) + "\n");
 * assertEquals(key.protocol2.algorithm.name, "HMAC");
 * ```
 */
export async function parseAuthKey(untrustedText: string): Promise<AuthKey> {
  const hex = untrustedText.trim();
  let bytes;
  try {
    bytes = parseHex(hex, AUTH_KEY_BYTES);
  } catch {
    throw new ProtocolError("bad-argument", "a key is 64 lower-case hex digits");
  }
  const hmac = { name: "HMAC", hash: "SHA-256" };
  const [protocol2, protocol1, digest] = await Promise.all([
    crypto.subtle.importKey("raw", bytes, hmac, false, ["sign", "verify"]),
    crypto.subtle.importKey("raw", utf8(hex), hmac, false, ["sign", "verify"]),
    crypto.subtle.digest("SHA-256", utf8(FINGERPRINT_LABEL + hex)),
  ]);
  const print = toHex(new Uint8Array(digest, 0, FINGERPRINT_BYTES));
  return { protocol2, protocol1, fingerprint: print.replace(/(.{4})(?=.)/g, "$1-") };
}

/**
 * The text of a new key: 64 hex digits, without a newline.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 *
 * assert(/^[0-9a-f]{64}$/.test(makeAuthKeyText()));
 * ```
 */
export function makeAuthKeyText(): string {
  return toHex(crypto.getRandomValues(new Uint8Array(AUTH_KEY_BYTES)));
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** Random secrets that let somebody in, and what is kept of them. @module */

import { sha256Hex } from "../../../shared/io/sha256.ts";
import { toHex } from "../../../shared/protocol/bytes.ts";

const SECRET_BYTES = 32;

export function randomSecret(): string {
  return toHex(crypto.getRandomValues(new Uint8Array(SECRET_BYTES)));
}

/** A secret is looked up by this, so the time that takes reveals nothing about it. */
export function secretDigest(untrustedSecret: string): string {
  return sha256Hex(untrustedSecret);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** Random words that let somebody in, and what is kept of them. @module */

import { createHash } from "node:crypto";
import { toHex } from "../../../shared/protocol/bytes.ts";

const SECRET_BYTES = 32;

export function randomSecret(): string {
  return toHex(crypto.getRandomValues(new Uint8Array(SECRET_BYTES)));
}

/** By this a secret is looked up: how long that takes tells nothing of the secret. */
export function secretDigest(untrustedSecret: string): string {
  return createHash("sha256").update(untrustedSecret).digest("hex");
}

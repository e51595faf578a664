// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * SHA-256 of a stream. WebCrypto takes only whole messages; node:crypto takes pieces, and 30 ms to
 * load. So what is short is held and hashed whole, and only long output pays for the latter.
 *
 * @module
 */

import { newSha256, type Sha256 } from "../../../shared/io/sha256.ts";
import { concat, toHex } from "../../../shared/protocol/bytes.ts";

const MAX_HELD_BYTES = 1024 * 1024;

export interface StreamHash {
  /** Keeps no reference to the bytes. */
  update(bytes: Uint8Array): void;
  /** 64 hex digits. Call once, at the end. */
  hex(): Promise<string>;
}

export function createStreamHash(): StreamHash {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  let long: Sha256 | undefined;
  return {
    update(bytes) {
      if (long === undefined && heldBytes + bytes.length <= MAX_HELD_BYTES) {
        held.push(bytes.slice());
        heldBytes += bytes.length;
        return;
      }
      if (long === undefined) {
        long = newSha256();
        long.update(concat(held));
        held = [];
      }
      long.update(bytes);
    },
    async hex() {
      if (long !== undefined) return long.digest("hex");
      return toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", concat(held))));
    },
  };
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Protocol 1, of the Python original: a command and, beside it, an HMAC of the id alone. The
 * command itself is not signed, so dom0 takes it only from a VM for which the operator accepted that,
 * and an id is good for one use.
 *
 * @module
 */

import type { AuthKey } from "./auth_key.ts";
import { type Bytes, parseHex, toHex, utf8 } from "./bytes.ts";
import { type AuthenticRequest, PLAIN_REQUEST } from "./envelope.ts";
import { computeMac, MAC_BYTES, verifyMac } from "./mac.ts";
import { type RequestId, requestIdTimeMs } from "./request_id.ts";
import type { VmName } from "./vm_name.ts";

/** The original's only timeout. */
export const V1_TIMEOUT_MS = 300_000;
/** Stands for the nonce, which this protocol does not have. */
export const V1_NONCE = "-";

/** Well-formed, and nothing more. */
export interface UnverifiedV1Request {
  readonly id: RequestId;
  readonly untrustedToken: string;
  readonly body: Bytes;
}

/**
 * The token of an id: 64 hex digits.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseAuthKey } from "./auth_key.ts";
 * import { parseRequestId } from "./request_id.ts";
 *
 * const id = parseRequestId("20261122-101500-4242-0a1b2c3d");
 * assertEquals((await v1Token(await parseAuthKey("0".repeat(64)), id)).length, 64);
 * ```
 */
export async function v1Token(key: AuthKey, id: RequestId): Promise<string> {
  return toHex(await computeMac(key.protocol1, utf8(id)));
}

/**
 * null if the token is not the one that the key makes.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { parseAuthKey } from "./auth_key.ts";
 * import { parseRequestId } from "./request_id.ts";
 * import { parseVmName } from "./vm_name.ts";
 *
 * const id = parseRequestId("20261122-101500-4242-0a1b2c3d");
 * const key = await parseAuthKey("0".repeat(64));
 * const request = { id, untrustedToken: await v1Token(key, id), body: new Uint8Array([0x61]) };
 * assert(await authenticateV1(request, key, parseVmName("work")) !== null);
 * ```
 */
export async function authenticateV1(
  { id, untrustedToken, body }: UnverifiedV1Request,
  key: AuthKey,
  vm: VmName,
): Promise<AuthenticRequest | null> {
  const mac = parseHex(untrustedToken, MAC_BYTES);
  if (!await verifyMac(key.protocol1, mac, utf8(id))) return null;
  const digest = toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", body)));
  const fields = { id, vm, body, nonce: V1_NONCE, mode: "script", timeoutMs: V1_TIMEOUT_MS };
  return {
    ...fields,
    ...PLAIN_REQUEST,
    issuedAtMs: requestIdTimeMs(id),
    protocol: 1,
    digest,
  } as AuthenticRequest;
}

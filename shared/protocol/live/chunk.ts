// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A chunk of a live stream: what a request brings that is not known when it is signed. Whoever signed
 * the request signs each chunk, with a key that is for this one stream.
 *
 *     +--------+---------------+------+
 *     |  end   |      MAC      | data |     in the VM's queue, and behind its offset in a frame
 *     +--------+---------------+------+
 *       1 byte     16 bytes      the rest
 *
 *     key   HMAC-SHA256 with the VM's key over: qvm-remote/2/stream-key, VM, id, nonce of the request
 *     MAC   the tag of AES-256-GCM with that key, over no plaintext: the IV is end u32, offset u64;
 *           the additional data is the data
 *
 * GMAC needs another IV for each thing that is signed: the key belongs to one request, whose nonce is
 * random, and a stream has one chunk at an offset, and one end. It is here because HMAC-SHA256 takes five
 * times as long where the processor has no instructions for SHA-256.
 *
 * @module
 */

import type { AuthKey } from "../auth_key.ts";
import { type Bytes, concat, readFields, uint32, uint64 } from "../bytes.ts";
import type { RequestFields } from "../envelope.ts";
import { MAX_CHUNK_BYTES } from "../limits.ts";
import { computeMac, macInput } from "../mac.ts";
import { ProtocolError } from "../refusal.ts";

export const CHUNK_MAC_BYTES = 16;
/** Before the data. */
export const CHUNK_HEAD_BYTES = 1 + CHUNK_MAC_BYTES;

export interface Chunk {
  /** Of its first byte in the stream. */
  readonly offset: number;
  /** Nothing comes after it. */
  readonly isEnd: boolean;
  /** At least one byte, unless it is the end. */
  readonly data: Uint8Array;
}

/** Only known to be well-formed. */
export interface UnverifiedChunk extends Chunk {
  readonly untrustedMac: Bytes;
}

/** Of one stream. */
export type StreamKey = CryptoKey;

const NOTHING = new Uint8Array(0);

/**
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseAuthKey } from "../auth_key.ts";
 * import { parseRequestId } from "../request_id.ts";
 * import { parseVmName } from "../vm_name.ts";
 *
 * const id = parseRequestId("20261122-101500-4242-0a1b2c3d");
 * const stream = { vm: parseVmName("work"), id, nonce: "0".repeat(32) };
 * const key = await makeStreamKey(await parseAuthKey("0".repeat(64)), stream);
 * assertEquals(key.algorithm.name, "AES-GCM");
 * ```
 */
export async function makeStreamKey(
  key: AuthKey,
  { vm, id, nonce }: Pick<RequestFields, "vm" | "id" | "nonce">,
): Promise<StreamKey> {
  const input = macInput("qvm-remote/2/stream-key", [vm, id, nonce]);
  const raw = await computeMac(key.protocol2, input);
  return await crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]);
}

function parameters({ offset, isEnd, data }: Chunk): AesGcmParams {
  const iv = concat([uint32(isEnd ? 1 : 0), uint64(offset)]);
  const additionalData = data as Bytes; // never shared memory
  return { name: "AES-GCM", iv, additionalData, tagLength: 8 * CHUNK_MAC_BYTES };
}

/**
 * Signs a chunk: what stands before its data in a file of the queue and in a frame.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseAuthKey } from "../auth_key.ts";
 * import { parseRequestId } from "../request_id.ts";
 * import { parseVmName } from "../vm_name.ts";
 *
 * const id = parseRequestId("20261122-101500-4242-0a1b2c3d");
 * const stream = { vm: parseVmName("work"), id, nonce: "0".repeat(32) };
 * const key = await makeStreamKey(await parseAuthKey("0".repeat(64)), stream);
 * const head = await signChunk(key, { offset: 0, isEnd: true, data: new Uint8Array(3) });
 * assertEquals(head.length, CHUNK_HEAD_BYTES);
 * ```
 */
export async function signChunk(key: StreamKey, chunk: Chunk): Promise<Bytes> {
  const mac = new Uint8Array(await crypto.subtle.encrypt(parameters(chunk), key, NOTHING));
  return concat([new Uint8Array([chunk.isEnd ? 1 : 0]), mac]);
}

/**
 * @param untrustedBytes what signChunk() makes, and the data: the chunk refers to them
 * @throws {ProtocolError} "bad-frame" or "too-long"
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * assertEquals(parseChunk(7, new Uint8Array([1, ...new Uint8Array(16), 9])).data.length, 1);
 * assertThrows(() => parseChunk(7, new Uint8Array(17)), Error, "nothing");
 * ```
 */
export function parseChunk(offset: number, untrustedBytes: Uint8Array): UnverifiedChunk {
  const fields = readFields(untrustedBytes);
  const end = fields.uint8();
  if (end > 1) throw new ProtocolError("bad-frame", "end of a chunk");
  const untrustedMac = fields.bytes(CHUNK_MAC_BYTES).slice();
  const data = fields.rest();
  if (data.length > MAX_CHUNK_BYTES) throw new ProtocolError("too-long", "chunk");
  if (data.length === 0 && end === 0) throw new ProtocolError("bad-frame", "a chunk of nothing");
  return { offset, isEnd: end === 1, untrustedMac, data };
}

/**
 * Whether whoever has the key made this chunk, for this place in this stream.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { parseAuthKey } from "../auth_key.ts";
 * import { concat } from "../bytes.ts";
 * import { parseRequestId } from "../request_id.ts";
 * import { parseVmName } from "../vm_name.ts";
 *
 * const id = parseRequestId("20261122-101500-4242-0a1b2c3d");
 * const stream = { vm: parseVmName("work"), id, nonce: "0".repeat(32) };
 * const key = await makeStreamKey(await parseAuthKey("0".repeat(64)), stream);
 * const chunk = { offset: 0, isEnd: true, data: new Uint8Array(3) };
 * const sealed = concat([await signChunk(key, chunk), chunk.data]);
 * assert(await verifyChunk(key, parseChunk(0, sealed)));
 * assert(!await verifyChunk(key, parseChunk(1, sealed)));
 * ```
 */
export async function verifyChunk(key: StreamKey, chunk: UnverifiedChunk): Promise<boolean> {
  try {
    await crypto.subtle.decrypt(parameters(chunk), key, chunk.untrustedMac);
    return true;
  } catch (error) {
    if (error instanceof DOMException && error.name === "OperationError") return false;
    throw error;
  }
}

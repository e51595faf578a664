// SPDX-License-Identifier: GPL-2.0-or-later
/** Chunks of a live stream: what is signed, and that nothing else passes. @module */

import { assert, assertEquals } from "@std/assert";
import { type AuthKey, parseAuthKey } from "../../../../shared/protocol/auth_key.ts";
import { type Bytes, concat, toHex } from "../../../../shared/protocol/bytes.ts";
import {
  type Chunk,
  makeStreamKey,
  parseChunk,
  signChunk,
  verifyChunk,
} from "../../../../shared/protocol/live/chunk.ts";
import { MAX_CHUNK_BYTES } from "../../../../shared/protocol/limits.ts";
import { computeMac, macInput } from "../../../../shared/protocol/mac.ts";
import { parseRequestId } from "../../../../shared/protocol/request_id.ts";
import { parseVmName } from "../../../../shared/protocol/vm_name.ts";
import { fromHex, readVectors, testVectors, type Vector, verdict } from "../vectors.ts";

interface ChunkVector extends Vector {
  readonly key: string;
  readonly vm: string;
  readonly id: string;
  readonly nonce: string;
  readonly streamKeyHex: string;
  readonly offset: number;
  readonly isEnd: boolean;
  readonly dataHex: string;
  /** Its end and its MAC. */
  readonly headHex: string;
}

const streamOf = ({ vm, id, nonce }: ChunkVector) => ({
  vm: parseVmName(vm),
  id: parseRequestId(id),
  nonce,
});

const chunkOf = ({ offset, isEnd, dataHex }: ChunkVector): Chunk => ({
  offset,
  isEnd,
  data: fromHex(dataHex),
});

testVectors<ChunkVector>("chunk", async (vector) => {
  const auth: AuthKey = await parseAuthKey(vector.key);
  const stream = streamOf(vector);
  const input = macInput("qvm-remote/2/stream-key", [stream.vm, stream.id, stream.nonce]);
  assertEquals(toHex(await computeMac(auth.protocol2, input)), vector.streamKeyHex);
  const key = await makeStreamKey(auth, stream);
  const chunk = chunkOf(vector);
  const head = await signChunk(key, chunk);
  assertEquals(toHex(head), vector.headHex);
  const parsed = parseChunk(vector.offset, concat([head, chunk.data]));
  assertEquals([parsed.isEnd, toHex(parsed.data)], [chunk.isEnd, vector.dataHex]);
  assert(await verifyChunk(key, parsed));
});

Deno.test("a chunk is good for no other place, stream, end or data", async () => {
  const vectors = readVectors<ChunkVector>("chunk");
  const keys = await Promise.all(
    vectors.map(async (vector) => makeStreamKey(await parseAuthKey(vector.key), streamOf(vector))),
  );
  for (const [at, one] of vectors.entries()) {
    for (const [from, { headHex, name }] of vectors.entries()) {
      const untrustedMac = fromHex(headHex.slice(2));
      const isGood = await verifyChunk(keys[at] as CryptoKey, { ...chunkOf(one), untrustedMac });
      assertEquals(isGood, at === from, `${one.name}, signed as ${name}`);
    }
  }
});

Deno.test("verifyChunk() refuses every single flipped bit, and every other length", async () => {
  const [vector] = readVectors<ChunkVector>("chunk");
  assert(vector !== undefined);
  const key = await makeStreamKey(await parseAuthKey(vector.key), streamOf(vector));
  const chunk = chunkOf(vector);
  const mac = fromHex(vector.headHex.slice(2));
  const flipped = (bytes: Uint8Array, bit: number): Bytes => {
    const changed = new Uint8Array(bytes);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    return changed;
  };
  for (let bit = 0; bit < 8 * mac.length; bit++) {
    const wrong = { ...chunk, untrustedMac: flipped(mac, bit) };
    assertEquals(await verifyChunk(key, wrong), false, `MAC, bit ${bit}`);
  }
  for (let bit = 0; bit < 8 * chunk.data.length; bit++) {
    const wrong = { ...chunk, data: flipped(chunk.data, bit), untrustedMac: mac };
    assertEquals(await verifyChunk(key, wrong), false, `data, bit ${bit}`);
  }
  for (let length = 0; length < mac.length; length++) {
    const wrong = { ...chunk, untrustedMac: mac.slice(0, length) };
    assertEquals(await verifyChunk(key, wrong), false, `${length} bytes`);
  }
});

Deno.test("a chunk has at most so much data", () => {
  const chunk = (bytes: number): Bytes => new Uint8Array(17 + bytes);
  assertEquals(verdict(() => parseChunk(0, chunk(MAX_CHUNK_BYTES))), "ok");
  assertEquals(verdict(() => parseChunk(0, chunk(MAX_CHUNK_BYTES + 1))), "too-long");
});

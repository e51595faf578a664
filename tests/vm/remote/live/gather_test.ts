// SPDX-License-Identifier: GPL-2.0-or-later
/** Pieces of a live stream: every byte once, in order, as much as is there. @module */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { sha256Hex } from "../../../../shared/io/sha256.ts";
import { type Bytes, concat } from "../../../../shared/protocol/bytes.ts";
import { MAX_CHUNK_BYTES } from "../../../../shared/protocol/limits.ts";
import { gather, type Pieces } from "../../../../vm/remote/live/gather.ts";
import { createPrng } from "../../../fuzz/prng.ts";

async function allOf(pieces: Pieces): Promise<readonly Bytes[]> {
  const all: Bytes[] = [];
  for (let isEnd = false; !isEnd;) {
    const piece = await pieces.next();
    isEnd = piece.isEnd;
    assert(piece.data.length > 0 || isEnd);
    all.push(piece.data.slice()); // as it was when it was taken
  }
  return all;
}

Deno.test("gather: every byte once, in order, however it comes", async () => {
  const prng = createPrng(7);
  for (let round = 0; round < 8; round++) {
    const total = prng.below(3 * MAX_CHUNK_BYTES);
    const data = Uint8Array.from({ length: total }, (_, at) => (at * 31 + (at >> 9)) & 0xff);
    let at = 0;
    const source = {
      async read(into: Uint8Array): Promise<number | null> {
        if (prng.below(3) === 0) await new Promise((resolve) => setTimeout(resolve, 0));
        if (at === total) return null;
        const bytes = Math.min(1 + prng.below(200_000), into.length, total - at);
        into.set(data.subarray(at, at + bytes));
        at += bytes;
        return bytes;
      },
    };
    const all = await allOf(gather(source));
    assert(all.every(({ length }) => length <= MAX_CHUNK_BYTES));
    assertEquals(sha256Hex(concat(all)), sha256Hex(data), `round ${round}`);
  }
});

Deno.test("gather: a fast source makes full pieces, and is not read further than one", async () => {
  let read = 0;
  const source = {
    read(into: Uint8Array): Promise<number | null> {
      read += into.length;
      return Promise.resolve(into.length);
    },
  };
  const pieces = gather(source);
  assertEquals((await pieces.next()).data.length, MAX_CHUNK_BYTES);
  assertEquals((await pieces.next()).data.length, MAX_CHUNK_BYTES);
  assert(read <= 3 * MAX_CHUNK_BYTES);
});

Deno.test("gather: what a slow source has is a piece at once", async () => {
  const next = Promise.withResolvers<number | null>();
  const reads = [Promise.resolve(5), next.promise, Promise.resolve(null)];
  const pieces = gather({ read: () => reads.shift() ?? Promise.resolve(null) });
  assertEquals((await pieces.next()).data.length, 5);
  next.resolve(7);
  const rest = await allOf(pieces);
  assertEquals(rest.reduce((sum, { length }) => sum + length, 0), 7);
});

Deno.test("gather: what the source throws is thrown", async () => {
  const pieces = gather({ read: () => Promise.reject(new Error("gone")) });
  await assertRejects(() => pieces.next(), Error, "gone");
});

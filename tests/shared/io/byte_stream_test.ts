// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals } from "@std/assert";
import { createChunkReader } from "../../../shared/io/byte_stream.ts";

/** A stream of bytes that fills so much of each buffer as `pieces` says, and notes their sizes. */
function stream(pieces: readonly number[]) {
  const asked: number[] = [];
  const left = [...pieces];
  const source: UnderlyingByteSource = {
    type: "bytes",
    pull(controller: ReadableByteStreamController) {
      const view = controller.byobRequest?.view ?? null;
      if (view === null) throw new Error("no buffer was given");
      const piece = left.shift();
      if (piece === undefined) {
        controller.close();
        return controller.byobRequest?.respond(0);
      }
      asked.push(view.byteLength);
      new Uint8Array(view.buffer).fill(pieces.length - left.length, 0, piece);
      controller.byobRequest?.respond(Math.min(piece, view.byteLength));
    },
  };
  return { asked, bytes: new ReadableStream(source) };
}

Deno.test("chunk reader: a small buffer for little, a large one once the small one was filled", async () => {
  const { asked, bytes } = stream([10, 4096, 100, 65536, 1]);
  const seen: (readonly [number, number | undefined])[] = [];
  await createChunkReader(bytes).each((chunk) => void seen.push([chunk.length, chunk.at(-1)]));
  assertEquals(asked, [4096, 4096, 65536, 65536, 65536]);
  assertEquals(seen, [[10, 1], [4096, 2], [100, 3], [65536, 4], [1, 5]]);
});

// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { createStreamHash } from "../../../../vm/remote/client/stream_hash.ts";

/** Short, at the border to the long way, and past it. */
const LENGTHS = [0, 1, 55, 64, 1024 * 1024 - 1, 1024 * 1024, 1024 * 1024 + 1, 3_000_000];

Deno.test("createStreamHash() agrees with node:crypto for every length, however it is cut", async () => {
  for (const length of LENGTHS) {
    const bytes = new Uint8Array(length).map((_, index) => index % 251);
    const expected = createHash("sha256").update(bytes).digest("hex");
    for (const pieceBytes of [1 + (length >> 1), 65_536, 999_983]) {
      const hash = createStreamHash();
      const piece = new Uint8Array(pieceBytes); // used again and again, as a reader's buffer is
      for (let at = 0; at < length; at += pieceBytes) {
        const part = bytes.subarray(at, at + pieceBytes);
        piece.set(part);
        hash.update(piece.subarray(0, part.length));
      }
      assertEquals(await hash.hex(), expected, `${length} bytes in pieces of ${pieceBytes}`);
    }
  }
});

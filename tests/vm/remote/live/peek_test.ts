// SPDX-License-Identifier: GPL-2.0-or-later
/** Whether stdin ends soon and is small; nothing of it is lost by looking. @module */

import { assertEquals } from "@std/assert";
import type { ByteSource } from "../../../../shared/io/read_ahead.ts";
import { utf8 } from "../../../../shared/protocol/bytes.ts";
import { peek } from "../../../../vm/remote/live/peek.ts";

const LONG_MS = 600_000;

/** Each read gives the next piece; a promise is one that takes its time. */
function sourceOf(...pieces: readonly (string | Promise<string>)[]): ByteSource {
  const rest = [...pieces];
  return {
    async read(into) {
      const piece = rest.shift();
      if (piece === undefined) return null;
      const bytes = utf8(await piece);
      into.set(bytes);
      return bytes.length;
    },
  };
}

/** To its end, in small steps. */
async function allOf(source: ByteSource): Promise<string> {
  let text = "";
  const into = new Uint8Array(3);
  for (let got; (got = await source.read(into)) !== null;) {
    text += new TextDecoder().decode(into.subarray(0, got));
  }
  return text;
}

Deno.test("peek: what ends is all there is", async () => {
  for (const pieces of [[], ["hello"], ["hel", "lo", " world"]]) {
    const { source, isAll } = await peek(sourceOf(...pieces), 100, LONG_MS);
    assertEquals([isAll, await allOf(source)], [true, pieces.join("")]);
  }
});

Deno.test("peek: what is more than a limit goes on, from its first byte", async () => {
  const { source, isAll } = await peek(sourceOf("hello", " wor", "ld"), 8, LONG_MS);
  assertEquals([isAll, await allOf(source)], [false, "hello world"]);
});

Deno.test("peek: what does not come in time goes on, and so does the read that waits", async () => {
  const late = Promise.withResolvers<string>();
  const { source, isAll } = await peek(sourceOf("hello", late.promise, "!"), 100, 1);
  assertEquals(isAll, false);
  late.resolve(" world");
  assertEquals(await allOf(source), "hello world!");
});

Deno.test("peek: an end that comes late is an end", async () => {
  const end = Promise.withResolvers<null>();
  const ends: ByteSource = { read: () => end.promise };
  const { source, isAll } = await peek(ends, 100, 1);
  end.resolve(null);
  assertEquals([isAll, await allOf(source)], [false, ""]);
});

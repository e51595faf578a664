// SPDX-License-Identifier: GPL-2.0-or-later
/** Lines come out whole however the text is cut, and none is longer than agreed. @module */

import { assertEquals } from "@std/assert";
import { createLineCutter, textLines } from "../../../shared/io/lines.ts";

const TEXT = "one\n\ntwo and three\nhalf";

Deno.test("the same lines however the text is cut", () => {
  for (let chars = 1; chars <= TEXT.length; chars++) {
    const cutter = createLineCutter(100);
    const lines: string[] = [];
    for (let at = 0; at < TEXT.length; at += chars) {
      lines.push(...cutter.push(TEXT.slice(at, at + chars)));
    }
    assertEquals([...lines, cutter.rest()], ["one", "", "two and three", "half"], `${chars}`);
  }
});

Deno.test("a longer line loses its end, and costs no more memory while it comes", () => {
  const cutter = createLineCutter(4);
  for (let part = 0; part < 1000; part++) assertEquals(cutter.push("abc"), []);
  assertEquals(cutter.rest(), "abca");
  assertEquals(cutter.push("\nnext\n"), ["abca", "next"]);
});

Deno.test("as a stream; half a line at the end is dropped", async () => {
  const lines = await Array.fromAsync(ReadableStream.from([TEXT]).pipeThrough(textLines()));
  assertEquals(lines, ["one", "", "two and three"]);
});

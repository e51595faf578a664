// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals } from "@std/assert";
import { parseWhy } from "../../../shared/protocol/why.ts";
import { testVectors, type Vector, verdict } from "./vectors.ts";

testVectors<Vector & { input: string }>("why", ({ input, expect }) => {
  assertEquals(verdict(() => parseWhy(input)), expect);
  if (expect === "ok") assertEquals(parseWhy(input), input, "a reason is not changed");
});

Deno.test("a reason holds no character that ends a line or steers a terminal", () => {
  const refused: string[] = [];
  for (let unit = 0; unit <= 0xffff; unit++) {
    const isSurrogate = unit >= 0xd800 && unit <= 0xdfff; // no UTF-8 makes a lone one
    if (isSurrogate) continue;
    if (verdict(() => parseWhy(`a${String.fromCharCode(unit)}b`)) !== "ok") {
      refused.push(unit.toString(16));
    }
  }
  const range = (first: number, last: number): string[] =>
    Array.from({ length: last - first + 1 }, (_, i) => (first + i).toString(16));
  assertEquals(refused, [...range(0, 0x1f), ...range(0x7f, 0x9f), "2028", "2029"]);
});

Deno.test("a reason that is half a character is refused", () => {
  assertEquals(verdict(() => parseWhy("a\ud800")), "bad-argument");
});

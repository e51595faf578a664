// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals, assertMatch } from "@std/assert";
import { printable } from "../../../shared/protocol/printable.ts";
import { createPrng } from "../../fuzz/prng.ts";
import { testVectors, type Vector } from "./vectors.ts";

interface PrintableVector extends Vector {
  readonly input: string;
  readonly output: string;
  readonly maxChars?: number;
}

testVectors<PrintableVector>("printable", ({ input, output, maxChars }) => {
  assertEquals(maxChars === undefined ? printable(input) : printable(input, maxChars), output);
});

Deno.test("printable() lets no character but printable ASCII through", () => {
  for (let unit = 0; unit <= 0xffff; unit++) {
    assertMatch(printable(String.fromCharCode(unit)), /^"[\x20-\x7e]+"$/, `unit ${unit}`);
  }
});

Deno.test("printable() shows two texts alike only if they are alike", () => {
  const seed = 7;
  const prng = createPrng(seed);
  const seen = new Map<string, string>();
  for (let i = 0; i < 20_000; i++) {
    const length = prng.below(6);
    const text = Array.from({ length }, () => prng.pick([...'\\"nu{}1d\n\t\r\x1d\ud83d\ude00é']))
      .join("");
    const other = seen.get(printable(text)) ?? text;
    assertEquals(other, text, `seed ${seed}: both are shown as ${printable(text)}`);
    seen.set(printable(text), text);
  }
});

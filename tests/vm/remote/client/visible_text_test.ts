// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals } from "@std/assert";
import { concat, utf8 } from "../../../../shared/protocol/bytes.ts";
import { createVisibleText, visibleJson } from "../../../../vm/remote/client/visible_text.ts";
import { createPrng } from "../../../fuzz/prng.ts";

/** What comes out for these bytes, in pieces of that size. */
function visible(bytes: Uint8Array, pieceBytes = Infinity): string {
  const filter = createVisibleText();
  const out: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += Math.min(pieceBytes, bytes.length)) {
    out.push(filter.push(bytes.subarray(at, at + pieceBytes)));
  }
  out.push(filter.end());
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(concat(out));
}

const CASES: readonly (readonly [what: string, input: string | number[], want: string])[] = [
  ["plain text", "a b~\n", "a b~\n"],
  ["tab, line feed, carriage return", "a\tb\r\nc\r", "a\tb\r\nc\r"],
  ["a colour", "\x1b[31mred\x1b[0m", "^[[31mred^[[0m"],
  ["a title, ended by BEL", "\x1b]0;title\x07", "^[]0;title^G"],
  ["NUL, BS, VT, FF, SO, DEL", "\0\b\v\f\x0e\x7f", "^@^H^K^L^N^?"],
  ["C1 as UTF-8", "\u009b31m\u0090", "\\u{9b}31m\\u{90}"],
  ["C1 as bytes", [0x9b, 0x33, 0x31, 0x6d], "\\x9b31m"],
  ["direction overrides", "a\u202eb\u2066c", "a\\u{202e}b\\u{2066}c"],
  ["what is not seen", "a\u200bb\ufeffc\u2028d", "a\\u{200b}b\\u{feff}c\\u{2028}d"],
  ["a tag character", "\u{e0041}", "\\u{e0041}"],
  ["languages", "Grüße, 日本語, עברית, العربية, हिन्दी", "Grüße, 日本語, עברית, العربية, हिन्दी"],
  ["emoji with joiners", "👩\u200d🚀 🇩🇪", "👩\u200d🚀 🇩🇪"],
  ["a cut character at the end", [0x61, 0xe2, 0x82], "a\\xe2\\x82"],
  ["a cut character before another", [0xe2, 0x82, 0x61], "\\xe2\\x82a"],
  ["overlong", [0xc0, 0x9b, 0xe0, 0x80, 0x9b], "\\xc0\\x9b\\xe0\\x80\\x9b"],
  ["a surrogate", [0xed, 0xa0, 0x80], "\\xed\\xa0\\x80"],
  ["past Unicode", [0xf4, 0x90, 0x80, 0x80, 0xff], "\\xf4\\x90\\x80\\x80\\xff"],
];

for (const [what, input, want] of CASES) {
  Deno.test(`createVisibleText() ${what}, however it is cut`, () => {
    const bytes = typeof input === "string" ? utf8(input) : new Uint8Array(input);
    for (let pieceBytes = 1; pieceBytes <= bytes.length; pieceBytes++) {
      assertEquals(visible(bytes, pieceBytes), want, `pieces of ${pieceBytes}`);
    }
  });
}

Deno.test("createVisibleText() lets nothing through that steers, in pieces as in one", () => {
  const prng = createPrng(20261122);
  for (let round = 0; round < 2000; round++) {
    const bytes = Uint8Array.from({ length: 1 + prng.below(40) }, () => prng.below(256));
    const whole = visible(bytes);
    assert(!/[^\t\n\r\P{Cc}]/u.test(whole), `seed 20261122, round ${round}`);
    assertEquals(visible(bytes, 1 + prng.below(5)), whole, `seed 20261122, round ${round}`);
  }
});

Deno.test("visibleJson() is the same value, in characters that steer nothing", () => {
  const value = { a: "\x1b[31m\u009b\u202e\u{e0041}é\n\t", b: ["\x7f"] };
  const text = visibleJson(value);
  assertEquals(JSON.parse(text), value);
  assert(/^[\x20-\x7eé]*$/.test(text), text);
});

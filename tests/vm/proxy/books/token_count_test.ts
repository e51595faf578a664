// SPDX-License-Identifier: GPL-2.0-or-later
/** Our count of tokens beside the real tokenizer's. */

import { assert, assertEquals } from "@std/assert";
import { countTokens as realTokens } from "gpt-tokenizer";
import { promptTokens } from "../../../../vm/proxy/books/prompt_tokens.ts";
import { countTokens, createTokenCounter } from "../../../../vm/proxy/books/token_count.ts";
import { mixedText, SAMPLES, seeded } from "../texts.ts";

for (const [name, text] of Object.entries(SAMPLES)) {
  Deno.test(`tokens of ${name}: within 15 % of the tokenizer's`, () => {
    const real = realTokens(text);
    const ratio = countTokens(text) / real;
    assert(ratio >= 0.85 && ratio <= 1.15, `${countTokens(text)} for ${real}: ${ratio}`);
  });
}

Deno.test("a text cut in pieces has as many tokens, however it is cut", () => {
  const random = seeded(5);
  for (let round = 0; round < 50; round++) {
    const text = mixedText(random, 2000);
    const counter = createTokenCounter();
    for (let at = 0; at < text.length;) {
      const end = at + 1 + Math.floor(random() * 9);
      counter.add(text.slice(at, end));
      at = end;
    }
    assertEquals(Math.ceil(counter.tokens()), countTokens(text));
  }
});

Deno.test("a prompt is counted by what is read of it: no pictures, a long one by samples", () => {
  const random = seeded(7);
  const text = mixedText(random, 100_000);
  const real = realTokens(text);
  const turns = [{ role: "user", content: text }];
  for (
    const body of [
      { model: "m", messages: turns },
      { messages: [{ role: "user", content: [{ type: "text", text }] }], system: "Be brief." },
      {
        input: [{ role: "user", content: [{ type: "input_text", text }] }],
        user: "x".repeat(9000),
      },
    ]
  ) {
    const ratio = promptTokens(body) / real;
    assert(ratio > 0.88 && ratio < 1.12, `${ratio}`);
  }
  const picture = {
    type: "image_url",
    image_url: { url: `data:image/png;base64,${"iVBO".repeat(9000)}` },
  };
  assert(promptTokens({ messages: [{ content: [picture] }] }) < 1500);
  assert(promptTokens({ messages: 5, input: [null, [], { content: 7 }], tools: "x" }) < 20);
});

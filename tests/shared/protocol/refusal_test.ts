// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals, assertMatch } from "@std/assert";
import { isRefusalReason, ProtocolError, REFUSAL_TEXT } from "../../../shared/protocol/refusal.ts";

Deno.test("isRefusalReason() knows its list and nothing else", () => {
  for (const word of Object.keys(REFUSAL_TEXT)) assert(isRefusalReason(word), word);
  for (const word of ["", "-", "constructor", "__proto__", "toString", "STALE", "stale ", "no"]) {
    assert(!isRefusalReason(word), `${word} is no reason`);
  }
});

Deno.test("every reason is a word that fits .meta, with a text in house style", () => {
  for (const [word, text] of Object.entries(REFUSAL_TEXT)) {
    assertMatch(word, /^[a-z0-9-]{1,32}$/);
    assertMatch(text, /^[a-z].*[^.]$/, word);
  }
});

Deno.test("ProtocolError says its violation first", () => {
  const error = new ProtocolError("too-long", "body");
  assertEquals(error.message, "too-long: body");
  assertEquals(error.violation, "too-long");
  assertEquals(error.name, "ProtocolError");
  assert(error instanceof Error);
});

// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import {
  AUTH_KEY_BYTES,
  makeAuthKeyText,
  MAX_KEY_FILE_BYTES,
  parseAuthKey,
} from "../../../shared/protocol/auth_key.ts";
import { testVectors, type Vector, verdictOf } from "./vectors.ts";

interface KeyVector extends Vector {
  readonly input: string;
  readonly fingerprint?: string;
}

testVectors<KeyVector>("auth_key", async ({ input, expect, fingerprint }) => {
  assertEquals(await verdictOf(parseAuthKey(input)), expect);
  if (expect !== "ok") return;
  assertEquals((await parseAuthKey(input)).fingerprint, fingerprint ?? "missing");
});

Deno.test("parseAuthKey() does not repeat a bad key in its error", async () => {
  const secret = "5ec7e75ec7e75ec7e75ec7e75ec7e75ec7e75ec7e75ec7e75ec7e75ec7e75ecX";
  const error = await assertRejects(() => parseAuthKey(secret), Error);
  assert(!String(error.stack).includes("5ec7e7"), "the error holds a part of the key");
});

Deno.test("a parsed key cannot be printed or exported", async () => {
  const text = makeAuthKeyText();
  const key = await parseAuthKey(text);
  for (const shown of [JSON.stringify(key), Deno.inspect(key, { depth: 9 })]) {
    assert(!shown.includes(text.slice(0, 8)), "the key can be read");
  }
  for (const part of [key.protocol1, key.protocol2]) {
    await assertRejects(() => crypto.subtle.exportKey("raw", part));
  }
});

Deno.test("a fingerprint is a hash of the key, in groups of four digits", async () => {
  const { fingerprint } = await parseAuthKey("00".repeat(32));
  assertMatch(fingerprint, /^([0-9a-f]{4}-){7}[0-9a-f]{4}$/);
  assert(!fingerprint.includes("0000-0000"), fingerprint);
});

Deno.test("makeAuthKeyText() makes keys that parse, and never the same one", async () => {
  const texts = Array.from({ length: 50 }, makeAuthKeyText);
  for (const text of texts) assertEquals(await verdictOf(parseAuthKey(text)), "ok");
  assertEquals(new Set(texts).size, texts.length);
  assert(2 * AUTH_KEY_BYTES < MAX_KEY_FILE_BYTES, "a key with its newline fits its file");
});

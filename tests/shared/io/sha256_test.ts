// SPDX-License-Identifier: GPL-2.0-or-later
/** By the two vectors of FIPS 180-4, and in pieces. @module */

import { assertEquals } from "@std/assert";
import { newSha256, sha256Hex } from "../../../shared/io/sha256.ts";
import { assertNone, under } from "../../source_files.ts";

const ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

Deno.test("SHA-256 of a text, of bytes, of pieces", () => {
  assertEquals(sha256Hex("abc"), ABC);
  assertEquals(sha256Hex(new Uint8Array([97, 98, 99])), ABC);
  const pieces = newSha256();
  for (const piece of ["a", "", "bc"]) pieces.update(piece);
  assertEquals(pieces.digest("hex"), ABC);
  const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  assertEquals(newSha256().digest("hex"), empty);
});

Deno.test("no program loads node:crypto at its start", () => {
  const loaded = under("dom0", "shared", "vm")
    .filter(({ code }) => /^import (?!type\b)[^;]*"node:crypto"/m.test(code));
  assertNone(loaded.map(({ path }) => path), "shared/io/sha256.ts loads it when it is used");
});

// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals } from "@std/assert";
import { encodeFlags, parseFlags, REQUEST_FLAGS } from "../../../shared/protocol/flags.ts";
import { testVectors, type Vector, verdict } from "./vectors.ts";

testVectors<Vector & { input: string }>("flags", ({ input, expect }) => {
  assertEquals(verdict(() => parseFlags(input)), expect);
  if (expect === "ok") assertEquals(encodeFlags(parseFlags(input)), input, "there and back");
});

Deno.test("flags are spelled in the order of the alphabet, however the set was made", () => {
  assertEquals(REQUEST_FLAGS.join(), REQUEST_FLAGS.toSorted().join());
  assertEquals(encodeFlags(new Set(["json", "explain"])), "explain,json");
});

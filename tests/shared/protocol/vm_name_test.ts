// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals } from "@std/assert";
import { MAX_VM_NAME_CHARS, parseVmName } from "../../../shared/protocol/vm_name.ts";
import { testVectors, type Vector, verdict } from "./vectors.ts";

testVectors<Vector & { input: string }>("vm_name", ({ input, expect }) => {
  assertEquals(verdict(() => parseVmName(input)), expect);
  if (expect === "ok") assertEquals(parseVmName(input), input, "a name is not changed");
});

Deno.test("parseVmName() draws the line at 31 characters", () => {
  assertEquals(MAX_VM_NAME_CHARS, 31);
  for (const chars of [30, 31]) assertEquals(verdict(() => parseVmName("v".repeat(chars))), "ok");
  assertEquals(verdict(() => parseVmName("v".repeat(32))), "bad-name");
});

Deno.test("parseVmName() takes no character outside its alphabet, first or later", () => {
  let [first, later] = ["", ""];
  for (let unit = 0; unit <= 0xffff; unit++) {
    const char = String.fromCharCode(unit);
    if (verdict(() => parseVmName(char)) === "ok") first += char;
    if (verdict(() => parseVmName(`v${char}v`)) === "ok") later += char;
  }
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  assertEquals(first, letters + letters.toLowerCase());
  assertEquals(later, `-.0123456789${letters}_${letters.toLowerCase()}`);
});

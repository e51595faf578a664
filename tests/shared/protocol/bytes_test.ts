// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals, assertThrows } from "@std/assert";
import {
  asLatin1,
  concat,
  parseDecimal,
  parseHex,
  parseUtf8,
  readFields,
  toHex,
  uint32,
  utf8,
  utf8Prefix,
} from "../../../shared/protocol/bytes.ts";
import { fromHex, plain, testVectors, type Vector, verdict } from "./vectors.ts";

testVectors<Vector & { input: string; wantBytes: number }>("hex", (vector) => {
  const { input, wantBytes, expect } = vector;
  assertEquals(verdict(() => parseHex(input, wantBytes)), expect);
  if (expect !== "ok") return;
  assertEquals(plain(parseHex(input, wantBytes)), `hex:${input}`);
  assertEquals(toHex(parseHex(input, wantBytes)), input, "there and back");
});

testVectors<Vector & { input: string; min: number; max: number }>("decimal", (vector) => {
  const { input, min, max, expect } = vector;
  assertEquals(verdict(() => parseDecimal(input, min, max)), expect);
  if (expect === "ok") assertEquals(String(parseDecimal(input, min, max)), input, "and back");
});

Deno.test("toHex() and parseHex() agree on every byte", () => {
  for (let byte = 0; byte < 256; byte++) {
    const hex = byte.toString(16).padStart(2, "0");
    assertEquals(toHex(new Uint8Array([byte])), hex);
    assertEquals(parseHex(hex, 1)[0], byte);
  }
});

Deno.test("parseUtf8() refuses what is not UTF-8 and keeps all the rest", () => {
  for (const hex of ["ff", "c080", "eda080", "f4908080", "e282", "80", "f8888080"]) {
    assertEquals(verdict(() => parseUtf8(fromHex(hex))), "bad-argument", hex);
  }
  for (const text of ["", "a", "\ufeff", "\ufeffa", "é€😀", "\0\x7f\x80"]) {
    assertEquals(parseUtf8(utf8(text)), text);
  }
});

Deno.test("asLatin1() gives one character for every byte, and ASCII as it is", () => {
  const all = Uint8Array.from({ length: 256 }, (_, i) => i);
  const text = asLatin1(all);
  assertEquals(text.length, 256);
  assertEquals(new Set(text).size, 256, "no two bytes are one character");
  for (let byte = 0; byte < 128; byte++) assertEquals(text.charCodeAt(byte), byte);
});

Deno.test("utf8Prefix() never cuts a character in two", () => {
  for (let maxBytes = 0; maxBytes <= 12; maxBytes++) {
    const prefix = parseUtf8(utf8Prefix("aé€😀z", maxBytes));
    assertEquals("aé€😀z".startsWith(prefix), true, `${maxBytes} bytes: ${prefix}`);
  }
  assertEquals(parseUtf8(utf8Prefix("aé€😀z", 9)), "aé€");
  assertEquals(parseUtf8(utf8Prefix("aé€😀z", 10)), "aé€😀");
  assertEquals(parseUtf8(utf8Prefix("aé€😀z", 99)), "aé€😀z");
});

Deno.test("concat() joins in order, also parts that are views", () => {
  const whole = Uint8Array.from([9, 1, 2, 9]);
  assertEquals(plain(concat([whole.subarray(1, 3), new Uint8Array(0), whole])), "hex:010209010209");
  assertEquals(concat([]).length, 0);
});

Deno.test("uint32() is big-endian, and a number that does not fit is a bug, not another number", () => {
  assertEquals(plain(uint32(0x01020304)), "hex:01020304");
  assertEquals(plain(uint32(0xffff_ffff)), "hex:ffffffff");
  for (const value of [-1, 0x1_0000_0000, NaN, Infinity]) {
    assertThrows(() => uint32(value), Error, "bug");
  }
});

Deno.test("readFields() reads in order and never past the end", () => {
  const whole = fromHex("ff0102030405060708090aff");
  const body = whole.subarray(1, 11); // a view: offsets count from its start
  const fields = readFields(body);
  assertEquals(fields.uint8(), 0x01);
  assertEquals(fields.uint16(), 0x0203);
  assertEquals(fields.uint32(), 0x04050607);
  assertEquals(plain(fields.bytes(1)), "hex:08");
  assertEquals(verdict(() => fields.uint32()), "bad-frame", "two bytes are left");
  assertEquals(verdict(() => fields.end()), "bad-frame", "bytes left over");
  assertEquals(plain(fields.rest()), "hex:090a");
  assertEquals(verdict(() => fields.uint8()), "bad-frame", "nothing is left");
  assertEquals(verdict(() => fields.bytes(1)), "bad-frame", "nothing is left");
  assertEquals(fields.rest().length, 0);
  fields.end();
});

Deno.test("readFields() refuses every field that a body of any length cuts", () => {
  for (let length = 0; length < 4; length++) {
    const body = new Uint8Array(length);
    assertEquals(verdict(() => readFields(body).uint32()), "bad-frame", `u32 of ${length}`);
    assertEquals(verdict(() => readFields(body).uint16()), length < 2 ? "bad-frame" : "ok");
    assertEquals(verdict(() => readFields(body).uint8()), length < 1 ? "bad-frame" : "ok");
    assertEquals(verdict(() => readFields(body).bytes(length + 1)), "bad-frame");
  }
});

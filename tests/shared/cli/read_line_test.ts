// SPDX-License-Identifier: GPL-2.0-or-later
/** A line is taken, and not a byte more. @module */

import { assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../../../shared/cli/program.ts";
import { readLine } from "../../../shared/cli/read_line.ts";

function source(text: string) {
  let left = new TextEncoder().encode(text);
  return {
    left: () => new TextDecoder().decode(left),
    readSync(bytes: Uint8Array): number | null {
      if (left.length === 0) return null;
      bytes.set(left.subarray(0, bytes.length));
      left = left.slice(bytes.length);
      return bytes.length;
    },
  };
}

Deno.test("a line ends at its newline, or where a terminal's Enter is; the rest is left", () => {
  const input = source("one\ntwo\rthr");
  assertEquals([readLine(input), input.left()], ["one", "two\rthr"]);
  assertEquals([readLine(input), readLine(input), readLine(input)], ["two", "thr", null]);
  assertEquals(readLine(source("\nx")), "");
});

Deno.test("an endless line is refused", () => {
  assertThrows(() => readLine(source("x".repeat(10_000))), UserError, "too long");
});

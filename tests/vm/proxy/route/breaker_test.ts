// SPDX-License-Identifier: GPL-2.0-or-later
/** Circuit breakers, by a clock that the test moves. @module */

import { assertEquals } from "@std/assert";
import { createBreakers } from "../../../../vm/proxy/route/breaker.ts";

function scene() {
  let nowMs = 1_000_000;
  const breakers = createBreakers(
    () => ({ failures: 3, windowMs: 1000, openMs: 500 }),
    () => nowMs,
  );
  return { breakers, pass: (ms: number) => void (nowMs += ms) };
}

Deno.test("a breaker opens after so many failures in the window, and not before", () => {
  const { breakers, pass } = scene();
  breakers.failed("x");
  breakers.failed("x");
  pass(1001);
  breakers.failed("x");
  assertEquals(breakers.state("x"), "closed"); // the first two are too old
  breakers.failed("x");
  breakers.failed("x");
  assertEquals([breakers.state("x"), breakers.state("y")], ["open", "closed"]);
  assertEquals(breakers.admits("x"), false);
  assertEquals(breakers.waitMs("x"), 500);
});

Deno.test("a half-open breaker lets one probe through, which decides", () => {
  const { breakers, pass } = scene();
  for (let i = 0; i < 3; i++) breakers.failed("x");
  pass(500);
  assertEquals([breakers.admits("x"), breakers.admits("x")], [true, false]);
  breakers.failed("x");
  assertEquals(breakers.state("x"), "open"); // one failure is enough now
  pass(500);
  assertEquals(breakers.admits("x"), true);
  breakers.abandoned("x");
  assertEquals(breakers.admits("x"), true); // nobody knows yet
  breakers.succeeded("x");
  assertEquals([breakers.state("x"), breakers.admits("x"), breakers.admits("x")], [
    ...["closed", true, true],
  ]);
});

Deno.test("what rests is left alone that long, and success does not wake it", () => {
  const { breakers, pass } = scene();
  breakers.rest("x", 300);
  breakers.succeeded("x");
  assertEquals(breakers.state("x"), "open");
  pass(300);
  assertEquals(breakers.state("x"), "closed");
  breakers.rest("x", 300);
  breakers.reset();
  assertEquals(breakers.state("x"), "closed");
});

Deno.test("a refused key is remembered until a request succeeds, and opens no breaker", () => {
  const { breakers } = scene();
  breakers.succeeded("x");
  breakers.keyRefused("x");
  assertEquals([breakers.state("x"), breakers.keyState("x")], ["closed", "refused"]);
  assertEquals(breakers.keyState("y"), "good");
  breakers.succeeded("x");
  assertEquals(breakers.keyState("x"), "good");
  breakers.keyRefused("x");
  breakers.reset();
  assertEquals(breakers.keyState("x"), "good");
});

Deno.test("names that clients make up do not pile up, and no breaker is forgotten for them", () => {
  const { breakers, pass } = scene();
  for (let i = 0; i < 3; i++) breakers.failed("provider");
  for (let i = 0; i < 5000; i++) breakers.rest(`provider/made-up-${i}`, 60_000);
  assertEquals([breakers.keys().length, breakers.state("provider")], [1000, "open"]);
  assertEquals(breakers.state("provider/made-up-4999"), "open");
  pass(60_000);
  breakers.rest("provider/one-more", 1000);
  assertEquals(breakers.keys(), ["provider", "provider/one-more"]);
});

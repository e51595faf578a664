// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals } from "@std/assert";
import { createRateLimits, type RateLimits } from "../../../dom0/judge/rate_limit.ts";
import { DEFAULT_CONFIG } from "../../../dom0/settings/config.ts";
import { LAB, WORK } from "../fixture.ts";

const SMALL = { maxRequestsPerMinute: 60, maxFailuresPerMinute: 6 };
const SECOND_MS = 1000;

/** How many of so many requests at that moment are let in. */
function ask(limits: RateLimits, count: number, atMs: number, vm = WORK): number {
  return Array.from({ length: count }, () => limits.mayAsk(vm, atMs)).filter((may) => may).length;
}

Deno.test("rate limit: a minute's worth at once, then as many as the time that passes gives", () => {
  const limits = createRateLimits(() => SMALL);
  assertEquals(ask(limits, 100, 0), 60);
  assertEquals(ask(limits, 100, 0), 0);
  assertEquals(ask(limits, 100, 10 * SECOND_MS), 10);
  assertEquals(ask(limits, 100, 3600 * SECOND_MS), 60, "no more than a minute's worth is saved up");
});

Deno.test("rate limit: in any minute at most twice its worth, however it is asked for", () => {
  const limits = createRateLimits(() => SMALL);
  const taken: number[] = [];
  for (let ms = 0; ms < 300_000; ms += 100) if (limits.mayAsk(WORK, ms)) taken.push(ms);
  for (const from of taken) {
    const inMinute = taken.filter((ms) => ms >= from && ms < from + 60_000).length;
    assertEquals(inMinute <= 120, true, `${inMinute} from ${from} ms on`);
  }
});

Deno.test("rate limit: each VM has its own, and one that asks too much costs no other", () => {
  const limits = createRateLimits(() => SMALL);
  assertEquals([ask(limits, 100, 0), ask(limits, 100, 0, LAB)], [60, 60]);
});

Deno.test("rate limit: what comes to nothing counts apart, and stops new requests for a while", () => {
  const limits = createRateLimits(() => SMALL);
  for (let n = 0; n < 6; n++) limits.failed(WORK, 0);
  assertEquals([ask(limits, 10, 0), ask(limits, 10, 0, LAB)], [0, 10]);
  assertEquals(ask(limits, 10, 10 * SECOND_MS), 10);
});

Deno.test("rate limit: a clock that does not move, or moves back, gives nothing", () => {
  const limits = createRateLimits(() => SMALL);
  assertEquals([ask(limits, 100, 5000), ask(limits, 100, 0), ask(limits, 100, 5000)], [60, 0, 0]);
});

Deno.test("rate limit: new settings count from then on", () => {
  let settings = SMALL;
  const limits = createRateLimits(() => settings);
  assertEquals(ask(limits, 100, 0), 60);
  settings = { ...SMALL, maxRequestsPerMinute: 90 };
  assertEquals(ask(limits, 100, 0), 30);
});

Deno.test("back-off: after five bad signatures, told once, longer each time, up to an hour", () => {
  const limits = createRateLimits(() => SMALL);
  let now = 0;
  const bad = (): boolean => limits.badlySigned(WORK, now);
  assertEquals([bad(), bad(), bad(), bad()], [false, false, false, false]);
  assertEquals(limits.isBackedOff(WORK, now), false);
  assertEquals(bad(), true);
  const spans: number[] = [];
  for (let n = 0; n < 9; n++) {
    const [{ forMs } = { forMs: 0 }] = limits.backedOff(now);
    spans.push(forMs / 60_000);
    assertEquals([limits.isBackedOff(WORK, now + forMs - 1), limits.isBackedOff(LAB, now)], [
      true,
      false,
    ]);
    now += forMs;
    assertEquals(limits.isBackedOff(WORK, now), false);
    assertEquals(bad(), false, "the operator knows");
  }
  assertEquals(spans, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
});

Deno.test("back-off: a good signature in between begins the count anew, and so does another key", () => {
  const limits = createRateLimits(() => SMALL);
  for (let n = 0; n < 20; n++) {
    assertEquals(limits.badlySigned(WORK, n), false);
    if (n % 4 === 3) assertEquals(limits.wellSigned(WORK), false);
  }
  for (let n = 0; n < 5; n++) limits.badlySigned(WORK, 100);
  assertEquals(limits.isBackedOff(WORK, 100), true);
  assertEquals([limits.wellSigned(WORK), limits.wellSigned(WORK)], [true, false]);
  limits.forget(WORK);
  assertEquals([limits.isBackedOff(WORK, 100), limits.backedOff(100)], [false, []]);
});

Deno.test("rate limit: 200 commands a second, as the bench runs them, meet no limit", () => {
  const limits = createRateLimits(() => DEFAULT_CONFIG);
  let refused = 0;
  for (let ms = 0; ms < 600_000; ms += 5) if (!limits.mayAsk(WORK, ms)) refused++;
  assertEquals(refused, 0);
});

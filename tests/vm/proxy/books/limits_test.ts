// SPDX-License-Identifier: GPL-2.0-or-later
/** Limits by a clock that the test moves, and the books in a real SQLite file. @module */

import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Limits } from "../../../../vm/proxy/config/config.ts";
import { openLedger } from "../../../../vm/proxy/books/ledger.ts";
import {
  type Admission,
  createLimiter,
  dayOf,
  monthOf,
} from "../../../../vm/proxy/books/limits.ts";
import { UserError } from "../../../../shared/cli/program.ts";

const fail = (text: string): void => {
  throw new Error(text);
};

const NONE: Limits = {
  ...{ requestsPerMinute: null, tokensPerMinute: null, tokensPerDay: null },
  ...{ concurrent: null, spendPerDay: null, spendPerMonth: null },
};
const NOON_MS = Date.UTC(2026, 10, 30, 12);

function scene() {
  let nowMs = NOON_MS;
  const ledger = openLedger(":memory:", fail);
  return {
    limiter: createLimiter(ledger, () => nowMs),
    pass: (ms: number) => void (nowMs += ms),
    [Symbol.dispose]: () => ledger.close(),
  };
}

const use = (tokens: number, spend: number) => ({ tokens, spend });

function refusal(admission: Admission) {
  assert(!admission.admitted);
  return admission.refusal;
}

function done(admission: Admission, tokens = 0, spend = 0): void {
  assert(admission.admitted);
  admission.done(use(tokens, spend));
}

Deno.test("requests in a minute, each client its own", () => {
  using s = scene();
  const limits = { ...NONE, requestsPerMinute: 2 };
  done(s.limiter.admit("x", limits, use(1, 0)));
  s.pass(20_000);
  done(s.limiter.admit("x", limits, use(1, 0)));
  assertEquals(refusal(s.limiter.admit("x", limits, use(1, 0))).retryAfterMs, 40_000);
  assert(s.limiter.admit("y", limits, use(1, 0)).admitted);
  s.pass(40_001);
  assert(s.limiter.admit("x", limits, use(1, 0)).admitted);
});

Deno.test("requests at a time; ending one twice frees one place", () => {
  using s = scene();
  const limits = { ...NONE, concurrent: 1 };
  const first = s.limiter.admit("x", limits, use(1, 0));
  assertEquals(refusal(s.limiter.admit("x", limits, use(1, 0))).limit, "concurrent");
  done(first);
  done(first);
  assertEquals(s.limiter.running("x"), 0);
  assert(s.limiter.admit("x", limits, use(1, 0)).admitted);
});

Deno.test("tokens in a minute count as they were, not as they were guessed", () => {
  using s = scene();
  const limits = { ...NONE, tokensPerMinute: 100 };
  done(s.limiter.admit("x", limits, use(90, 0)), 10);
  assert(s.limiter.admit("x", limits, use(90, 0)).admitted);
  assertEquals(refusal(s.limiter.admit("x", limits, use(1, 0))).limit, "tokensPerMinute");
});

Deno.test("money: what runs is held, the day and the month end at midnight UTC", () => {
  using s = scene();
  const limits = { ...NONE, spendPerDay: 1, spendPerMonth: 1.5 };
  const first = s.limiter.admit("x", limits, use(0, 0.6));
  assertEquals(refusal(s.limiter.admit("x", limits, use(0, 0.6))).limit, "spendPerDay");
  done(first, 5, 1);
  const over = refusal(s.limiter.admit("x", limits, use(0, 0)));
  assertEquals([over.limit, over.retryAfterMs], ["spendPerDay", null]);
  s.pass(12 * 3_600_000); // 1 December: another day and another month
  done(s.limiter.admit("x", limits, use(0, 0.1)), 0, 1);
  s.pass(24 * 3_600_000);
  assertEquals(refusal(s.limiter.admit("x", limits, use(0, 0.6))).limit, "spendPerMonth");
});

Deno.test("the books hold over a restart, and sums of cents do not drift", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/use.sqlite`;
  const ledger = openLedger(path, fail);
  for (let i = 0; i < 1000; i++) ledger.book("x", "2026-11-30", use(3, 0.01));
  ledger.book("x", "2026-11-01", use(1, 1));
  ledger.close();
  assertEquals(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o600);
  const again = openLedger(path, fail);
  assertEquals(again.day("x", "2026-11-30"), use(3000, 10));
  assertEquals(again.month("x", "2026-11"), use(3001, 11));
  assertEquals(again.month("y", "2026-11"), use(0, 0));
  again.close();
  await Deno.writeTextFile(path, "this is no database, whatever its name says".repeat(50));
  assertThrows(() => openLedger(path, fail), UserError, "cannot open the record of use");
  await Deno.remove(folder, { recursive: true });
});

Deno.test("sums that were read once go on with what is booked, each client and period its own", () => {
  const ledger = openLedger(":memory:", fail);
  const read = () => [
    ...[ledger.day("x", "2026-11-30"), ledger.day("x", "2026-12-01")],
    ...[ledger.month("x", "2026-11"), ledger.month("y", "2026-11")],
  ];
  assertEquals(read(), [use(0, 0), use(0, 0), use(0, 0), use(0, 0)]);
  ledger.book("x", "2026-11-30", use(1, 0.5));
  ledger.book("x", "2026-12-01", use(2, 0.25));
  ledger.book("x", "2026-11-29", use(4, 1));
  ledger.book("y", "2026-11-30", use(8, 2));
  assertEquals(read(), [use(1, 0.5), use(2, 0.25), use(5, 1.5), use(8, 2)]);
  for (let client = 0; client < 1500; client++) ledger.day(`z${client}`, "2026-11-30");
  assertEquals(read(), [use(1, 0.5), use(2, 0.25), use(5, 1.5), use(8, 2)]);
  ledger.close();
});

Deno.test("days and months are written as the books sort them", () => {
  assertEquals([dayOf(NOON_MS), monthOf(NOON_MS)], ["2026-11-30", "2026-11"]);
});

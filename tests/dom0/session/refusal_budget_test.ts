// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals } from "@std/assert";
import { createRefusalBudget } from "../../../dom0/session/refusal_budget.ts";
import { NOW_MS } from "../fixture.ts";

/** Spends until it is refused, at most that often. */
function spendAll(spend: () => boolean, most = 1000): number {
  for (let spent = 0; spent < most; spent++) if (!spend()) return spent;
  return most;
}

Deno.test("refusal budget: 32 at once, then none", () => {
  const budget = createRefusalBudget();
  assertEquals(spendAll(() => budget.spend(NOW_MS)), 32);
  assertEquals(budget.spend(NOW_MS), false);
});

const REFILLS: readonly (readonly [name: string, waitMs: number, good: number])[] = [
  ["not yet one more", 4_999, 0],
  ["one more after 5 s, beside the one that was refused", 10_000, 1],
  ["ten more", 55_000, 10],
  ["never more than 32", 24 * 3600_000, 32],
  ["a clock that is set back gives nothing", -3600_000, 0],
];

for (const [name, waitMs, good] of REFILLS) {
  Deno.test(`refusal budget: ${name}`, () => {
    const budget = createRefusalBudget();
    spendAll(() => budget.spend(NOW_MS)); // the last one was refused, and is one below zero
    assertEquals(spendAll(() => budget.spend(NOW_MS + waitMs)), good);
  });
}

Deno.test("refusal budget: what is over it is counted, and does not make it wait longer", () => {
  const budget = createRefusalBudget();
  for (let n = 0; n < 32 + 24; n++) budget.spend(NOW_MS);
  assertEquals([budget.takeUnrecorded(), budget.takeUnrecorded()], [24, 0]);
  assertEquals(spendAll(() => budget.spend(NOW_MS + 60_000)), 11);
});

Deno.test("refusal budget: one every 5 s goes on for ever", () => {
  const budget = createRefusalBudget();
  for (let n = 0; n < 5000; n++) assert(budget.spend(NOW_MS + 5_000 * n), `the ${n}th`);
});

Deno.test("refusal budget: one every 4 s ends, and a day brings 17,280 at most", () => {
  const budget = createRefusalBudget();
  let good = 0;
  for (let ms = 0; ms < 24 * 3600_000; ms += 4_000) if (budget.spend(NOW_MS + ms)) good++;
  assert(good <= 17_280 + 32, `${good} in a day`);
});

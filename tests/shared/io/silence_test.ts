// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals } from "@std/assert";
import { createSilence } from "../../../shared/io/silence.ts";

const PACE_MS = 20_000;

/** What each look says, after these spans and "heard"s. */
function looks(plan: readonly (number | "heard" | "look")[]): number[] {
  let nowMs = 5_000;
  const silence = createSilence(PACE_MS, { spanMs: () => nowMs });
  const seen: number[] = [];
  for (const step of plan) {
    if (step === "heard") silence.heard();
    else if (step === "look") seen.push(silence.lookMs());
    else nowMs += step;
  }
  return seen;
}

const CASES: readonly (readonly [string, Parameters<typeof looks>[0], readonly number[]])[] = [
  ["grows from look to look", [20_000, "look", 20_000, "look", 20_000, "look"], [2e4, 4e4, 6e4]],
  ["begins anew with each word", [20_000, "look", 15_000, "heard", 5_000, "look"], [2e4, 5e3]],
  ["counts what a busy machine adds", [35_000, "look", 20_000, "look"], [35_000, 55_000]],
  [
    "does not count an hour in which this side was stopped",
    [20_000, "look", 3_600_000, "look", 20_000, "look"],
    [20_000, 40_000, 60_000],
  ],
  [
    "has no less than nothing, though a word came just after the hour",
    [20_000, "look", 3_600_000, "heard", "look", 20_000, "look"],
    [20_000, 0, 20_000],
  ],
];

for (const [name, plan, want] of CASES) {
  Deno.test(`silence: ${name}`, () => assertEquals(looks(plan), want));
}

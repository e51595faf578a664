// SPDX-License-Identifier: GPL-2.0-or-later
/** Which count holds: the provider's, ours by the letters, or what a model's own counts have taught. */

import { assert, assertEquals } from "@std/assert";
import { bookedTokens } from "../../../../vm/proxy/books/booked_tokens.ts";
import { createCalibration } from "../../../../vm/proxy/books/calibration.ts";
import { NO_SEEN, NO_TOKENS } from "../../../../vm/proxy/exchange.ts";
import { costOf } from "../../../../vm/proxy/books/prices.ts";
import { parseConfig } from "../../../../vm/proxy/config/parse_config.ts";
import { targetOf } from "./turns.ts";

Deno.test("the opening event's count is never what is booked", () => {
  const opening = { ...NO_TOKENS, input: 500, output: 1 };
  const ended = {
    ...{ api: "messages" as const, target: targetOf("anthropic/m"), named: opening },
    ...{ seen: { tokens: 4000, thoughtTokens: 0 }, promptTokens: () => 0 },
  };
  for (const whole of [true, false]) {
    const { input, output } = bookedTokens({ ...ended, isWhole: whole }, createCalibration());
    assertEquals([input, output], [500, 4000]);
  }
});

Deno.test("a model's own counts teach: another tokenizer, and what it thinks in secret", () => {
  const target = targetOf("openai/m");
  const calibration = createCalibration();
  const whole = (output: number, reasoning: number, seen: number) =>
    bookedTokens({
      ...{
        api: "chat",
        target,
        isWhole: true,
        named: { ...NO_TOKENS, input: 9, output, reasoning },
      },
      ...{ seen: { tokens: seen, thoughtTokens: 0 }, promptTokens: () => 0 },
    }, calibration);
  const cut = (seen: number): number =>
    bookedTokens({
      ...{ api: "chat", target, isWhole: false, named: null, promptTokens: () => 9 },
      seen: seen === 0 ? NO_SEEN : { tokens: seen, thoughtTokens: 0 },
    }, calibration).output;
  assertEquals(cut(1000), 1000);
  for (let answer = 0; answer < 5; answer++) whole(1000 * 1.3 + 2000, 2000, 1000);
  assertEquals(cut(1000), 3300);
  assertEquals(cut(0), 0);
  whole(3, 0, 1); // too short to say anything
  assertEquals(cut(1000), 3300);
});

Deno.test("what is cached has its own prices, by the provider's rule where none is written", () => {
  const config = parseConfig({
    providers: { openai: { kind: "openai" }, anthropic: { kind: "anthropic" } },
    prices: {
      "anthropic/m": { input: 10, output: 50 },
      "anthropic/own": { input: 10, output: 50, cacheRead: 2, cacheWrite: 12 },
      "anthropic/hour": { input: 10, output: 50, cacheWrite: 12, cacheWriteHour: 21 },
      "openai/m": { input: 10, output: 50 },
    },
  });
  assert("providers" in config);
  const tokens = {
    input: 1e6,
    output: 0,
    cacheRead: 4e5,
    cacheWrite: 3e5,
    cacheWriteHour: 1e5,
    reasoning: 0,
  };
  const at = (name: string): number => costOf(tokens, targetOf(name), config) ?? NaN;
  const rounded = ["anthropic/m", "anthropic/own", "anthropic/hour", "openai/m"].map((name) =>
    Math.round(at(name) * 1000) / 1000
  );
  assertEquals(
    rounded,
    [
      3 + 0.4 * 1 + 0.2 * 12.5 + 0.1 * 20,
      3 + 0.4 * 2 + 0.2 * 12 + 0.1 * 19.2,
      3 + 0.4 * 1 + 0.2 * 12 + 0.1 * 21,
      10,
    ].map((dollars) => Math.round(dollars * 1000) / 1000),
  );
});

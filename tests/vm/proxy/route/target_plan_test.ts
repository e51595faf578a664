// SPDX-License-Identifier: GPL-2.0-or-later
/** What is tried next, by a clock and dice that the test holds. @module */

import { assert, assertEquals } from "@std/assert";
import {
  createTargetPlan,
  order,
  type TargetPlan,
} from "../../../../vm/proxy/route/target_plan.ts";
import { type Config, type Route, targetName } from "../../../../vm/proxy/config/config.ts";
import { parseConfig } from "../../../../vm/proxy/config/parse_config.ts";

const MODELS = { auto: { try: ["a/m", "b/m"] } };
const TIMING = { deadlineSeconds: 10, firstByteSeconds: 2, responseSeconds: 100, retries: 2 };

function configOf(tries: unknown): Config {
  const provider = { kind: "openai", baseUrl: "https://x.example/v1" };
  const parsed = parseConfig({
    ...{ providers: { a: provider, b: provider, c: provider }, timing: TIMING },
    models: { auto: { try: tries } },
  });
  if (!("providers" in parsed)) throw new Error(JSON.stringify(parsed));
  return parsed;
}

function scene(tries: unknown, open: readonly string[] = [], streamed = true) {
  const config = configOf(tries);
  const route: Route = config.routes.get("auto") ?? [];
  let nowMs = 5_000_000;
  const plan = createTargetPlan(route, config.timing, streamed, {
    admits: (target) => !open.includes(targetName(target)),
    mayAsk: (target) => !open.includes(targetName(target)),
  }, { nowMs: () => nowMs, random: () => 0.5 });
  return { plan, pass: (ms: number) => void (nowMs += ms) };
}

const AGAIN = { again: true, retryAfterMs: null };
const NEVER = { again: false, retryAfterMs: null };

/** Runs the plan with each attempt failing; what it did, in words. */
function trace(plan: TargetPlan, pass: (ms: number) => void, failure = AGAIN): string[] {
  const done: string[] = [];
  for (let steps = 0; steps < 50; steps++) {
    const step = plan.next();
    if (step.do === "give up") return done;
    if (step.do === "wait") {
      done.push(`wait ${step.ms}`);
      pass(step.ms);
      continue;
    }
    done.push(`${targetName(step.target)} ${step.timeoutMs}`);
    plan.failed(step.target, failure);
  }
  throw new Error("it never gives up");
}

Deno.test("targets in order, then rounds with longer and longer waits", () => {
  const { plan, pass } = scene(["a/m", "b/m"]);
  assertEquals(trace(plan, pass), [
    ...["a/m 2000", "b/m 100000", "wait 187.5", "a/m 2000", "b/m 100000"],
    ...["wait 375", "a/m 2000", "b/m 100000"],
  ]);
});

Deno.test("what failed for good is not asked again", () => {
  const { plan, pass } = scene(["a/m", "b/m"]);
  assertEquals(trace(plan, pass, NEVER), ["a/m 2000", "b/m 100000"]);
});

Deno.test("an open breaker is passed over; when all are open the first is tried all the same", () => {
  const passed = scene(["a/m", "b/m"], ["a/m"]);
  assertEquals(trace(passed.plan, passed.pass)[0], "b/m 100000");
  const all = scene(["a/m", "b/m"], ["a/m", "b/m"]);
  assertEquals(trace(all.plan, all.pass)[0], "a/m 100000");
});

Deno.test("Retry-After is waited for within the deadline, and not beyond it", () => {
  const short = scene(["a/m"]);
  const failure = (retryAfterMs: number) => ({ again: true, retryAfterMs });
  assertEquals(trace(short.plan, short.pass, failure(3000) as never), [
    ...["a/m 100000", "wait 3000", "a/m 100000", "wait 3000", "a/m 100000"],
  ]);
  const long = scene(["a/m"]);
  assertEquals(trace(long.plan, long.pass, failure(60_000) as never), ["a/m 100000"]);
});

Deno.test("by default no attempt begins after 30 s, however upstreams fail and what they ask for", () => {
  const provider = { kind: "openai", baseUrl: "https://x.example/v1" };
  const config = parseConfig({ providers: { a: provider, b: provider }, models: MODELS });
  if (!("providers" in config)) throw new Error(JSON.stringify(config));
  const route = config.routes.get("auto") ?? [];
  let seed = 99;
  const random = (): number => (seed = (seed * 48271) % 2147483647) / 2147483647;
  let longestMs = 0;
  for (let round = 0; round < 2000; round++) {
    let nowMs = 0;
    const dice = { nowMs: () => nowMs, random };
    const plan = createTargetPlan(
      route,
      config.timing,
      true,
      { admits: () => random() < 0.8, mayAsk: () => random() < 0.8 },
      dice,
    );
    for (let step = plan.next(); step.do !== "give up"; step = plan.next()) {
      longestMs = Math.max(longestMs, nowMs);
      if (step.do === "wait") {
        nowMs += step.ms;
        continue;
      }
      nowMs += random() * 15_000;
      const asked = [null, 0, 1000, 20_000, 3_600_000][Math.floor(random() * 5)] ?? null;
      plan.failed(step.target, { again: random() < 0.9, retryAfterMs: asked });
    }
  }
  assert(longestMs > 20_000 && longestMs < 30_000, `${longestMs} ms`);
});

Deno.test("after the deadline nothing begins", () => {
  const { plan, pass } = scene(["a/m", "b/m"]);
  const step = plan.next();
  assert(step.do === "try");
  pass(10_000);
  plan.failed(step.target, AGAIN);
  assertEquals(plan.next().do, "give up");
});

Deno.test("a provider that hangs on a request without stream is given up in time for the next", () => {
  const { plan, pass } = scene(["a/m", "b/m", "c/m"], [], false);
  const waited = [];
  for (let step = plan.next(); step.do === "try"; step = plan.next()) {
    waited.push(`${targetName(step.target)} ${step.timeoutMs}`);
    if (step.timeoutMs < 100_000) pass(step.timeoutMs);
    plan.failed(step.target, NEVER);
  }
  assertEquals(waited, ["a/m 8000", "b/m 1600", "c/m 100000"]);
});

Deno.test("where nobody else may be asked, an answer may take its time", () => {
  const { plan, pass } = scene(["a/m", "b/m"], ["b/m"], false);
  assertEquals(trace(plan, pass, NEVER)[0], "a/m 100000");
});

Deno.test("a rank is drawn by weight, and the rest of it stands in", () => {
  const config = configOf([[{ model: "a/m", weight: 3 }, "b/m"], "c/m"]);
  const route = config.routes.get("auto") ?? [];
  let seed = 12345;
  const random = (): number => (seed = (seed * 1103515245 + 12345) % 2 ** 31) / 2 ** 31;
  let first = 0;
  for (let i = 0; i < 4000; i++) {
    const names = order(route, { random }).map(targetName);
    assertEquals(names.toSorted().length, 3);
    assertEquals(names[2], "c/m");
    if (names[0] === "a/m") first++;
  }
  assert(first > 2850 && first < 3150, `${first} of 4000 for three quarters`);
});

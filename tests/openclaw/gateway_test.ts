// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The real OpenClaw gateway behind the real proxy, on the templates as they are installed. One
 * gateway serves all of these tests, for it takes 10 s and more to start: the first test starts
 * it, the last one ends it.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { type Case, type ClawScene, clawScene, MODELS, say } from "./claw_scene.ts";
import { LIFE_CASES, limit } from "./life_cases.ts";
import { PROVIDER_CASES } from "./provider_cases.ts";

let running: ClawScene | null = null;

// The gateway outlives the tests one by one.
const shared = { sanitizeOps: false, sanitizeResources: false };

Deno.test({
  name: "C0 the gateway starts on the template, in the memory that its unit gives it",
  ...shared,
  fn: async () => {
    running = await clawScene(limit?.folder ?? null);
    await running.fresh();
    const { startMs, url } = running.gateway;
    console.log(`ready after ${startMs} ms; memory limit: ${limit === null ? "none" : "3 GiB"}`);
    assertEquals((await (await fetch(`${url}/healthz`)).json()).ok, true);
    const began = performance.now();
    await say(running, MODELS.chat);
    console.log(
      `the first turn, which loads half of OpenClaw: ${Math.round(performance.now() - began)} ms`,
    );
  },
});

const number = ({ name }: Case): number => Number(/^C(\d+)/.exec(name)?.[1]);

for (
  const { name, run } of [...PROVIDER_CASES, ...LIFE_CASES].toSorted((a, b) =>
    number(a) - number(b)
  )
) {
  const fn = async (): Promise<void> => {
    assert(running !== null, "there is no gateway: the first test says why");
    await running.fresh();
    await run(running);
  };
  Deno.test({ name, fn, ...shared });
}

Deno.test({
  name: "C12 the gateway ends when it is told to, and nothing of it is left",
  ...shared,
  fn: async () => {
    assert(running !== null, "there is no gateway: the first test says why");
    await running.end();
    limit?.remove();
  },
});

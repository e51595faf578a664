// SPDX-License-Identifier: GPL-2.0-or-later
/** What OpenClaw sees of its providers: their answers, their failures, their silence. @module */

import { delay } from "@std/async/delay";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { within } from "../../shared/io/timing.ts";
import { until } from "../e2e/installed.ts";
import { fails, hangs } from "../e2e/proxy_upstream.ts";
import { answersLate, pausesInside, toolResult, usesTool } from "./agent_upstream.ts";
import {
  type Case,
  type Double,
  DOUBLES,
  MODELS,
  OPENCLAW_PATIENCE_S,
  requestsSeen,
  say,
} from "./claw_scene.ts";
import { startTurn } from "./gateway_socket.ts";

const cases: Case[] = [];
export const PROVIDER_CASES: readonly Case[] = cases;

function add(name: string, run: Case["run"]): void {
  cases.push({ name, run });
}

add(
  "C2 a turn by the command line, with a tool: two requests, the second has its result",
  async (scene) => {
    scene.anthropic.script = [usesTool()];
    const { code, stdout, stderr } = await scene.place.run(
      ...["agent", "--agent", "main", "--model", MODELS.chat, "--message", "use your tool"],
    );
    assertEquals(code, 0, stderr);
    assertStringIncludes(stdout, "the tool says 42");
    assertEquals(scene.anthropic.seen.map(toolResult), [null, "tool says 42"]);
    assertEquals((await requestsSeen(scene, 1)).map(({ api, status }) => [api, status]), [
      ["chat", 200],
      ["chat", 200],
    ]);
  },
);

for (const [api, model] of Object.entries(MODELS)) {
  add(`C3 ${api}: text, and a tool's loop`, async (scene) => {
    const doubles = [scene.anthropic, scene.openai, scene.ollama];
    const from = {
      chat: "anthropic",
      messages: "anthropic",
      responses: "openai",
      ollama: "ollama",
    };
    assertEquals(await say(scene, model), `from ${from[api as keyof typeof MODELS]}`);
    for (const one of doubles) one.script = [usesTool()], one.seen.length = 0;
    assertEquals(await say(scene, model), "the tool says 42");
    const seen = doubles.flatMap((one) => one.seen);
    assertEquals(seen.map(toolResult), [null, "tool says 42"]);
    // OpenClaw's own marks arrive; on the way through another API the proxy sets some.
    const marks = seen[1]?.text.split('"cache_control"').length ?? 0;
    if (seen[1]?.path === "/v1/messages") assert(marks > 1, "no part of the prompt is cached");
  });
}

for (const [api, model] of Object.entries(MODELS)) {
  for (const only of Object.keys(DOUBLES) as Double[]) {
    add(`C3 ${api}, answered by ${only}: a tool's loop, streamed`, async (scene) => {
      await scene.fresh(undefined, only);
      scene[only].script = [usesTool()];
      assertEquals(await say(scene, model), "the tool says 42");
      assertEquals(scene[only].seen.map(toolResult), [null, "tool says 42"]);
      assert(scene[only].seen.every(({ body }) => body["stream"] === true));
    });
  }
}

for (const status of [401, 402, 403, 429, 500, 503, 529]) {
  add(
    `C4 the first provider answers ${status}: the second answers, OpenClaw asked once`,
    async (scene) => {
      const took: string[] = [];
      for (const [api, model] of Object.entries(MODELS).filter(([name]) => name !== "ollama")) {
        await scene.fresh();
        const [first, second] = api === "responses"
          ? [scene.openai, "from anthropic"]
          : [scene.anthropic, "from openai"];
        first.script = [fails(status, "no", { "retry-after": "30" })];
        const began = performance.now();
        assertEquals(await say(scene, model), second);
        const ms = Math.round(performance.now() - began);
        took.push(`${api} ${ms} ms`);
        assertEquals(first.seen.length, 1);
        const requests = await requestsSeen(scene, 1);
        // Its own fallback would be more requests, after 76 s and more.
        assertEquals(requests.map((one) => one["status"]), [200]);
      }
      console.log(`a turn with failover after ${status}: ${took.join(", ")}`);
    },
  );
}

add(
  "C5 no key for one provider: its model fails at once, the others of the same proxy work",
  async (scene) => {
    await scene.fresh("OPENAI_API_KEY=sk-openai-1\n");
    const began = performance.now();
    const why = await say(scene, "proxy-chat/anthropic/claude-sonnet-5").catch(String);
    const ms = Math.round(performance.now() - began);
    assert(!why.startsWith("from"), why);
    console.log(`without a key it fails after ${ms} ms: ${why.slice(0, 300)}`);
    assertEquals(await say(scene, "proxy-chat/openai/gpt-6-sol"), "from openai");
    // With others behind it, it does not fail at all.
    assertEquals(await say(scene, MODELS.messages), "from openai");
    const statuses = (await requestsSeen(scene, 1)).map((one) => Number(one["status"]));
    assert(statuses.every((status) => ![401, 402, 403].includes(status)), String(statuses));
  },
);

const STREAMED = [MODELS.chat, MODELS.responses, MODELS.messages];

for (
  const [what, play, silentS] of [
    ["before its answer", answersLate, 16],
    ["inside its answer", pausesInside, 20],
  ] as const
) {
  add(
    `C6 a provider silent for ${silentS} s ${what}: signs of life keep OpenClaw from leaving`,
    async (scene) => {
      assert(silentS > OPENCLAW_PATIENCE_S + 5);
      const slow = play("at last", silentS * 1000);
      scene.anthropic.script = scene.openai.script = [slow];
      const texts = await Promise.all(STREAMED.map((model) => say(scene, model)));
      assertEquals(texts, STREAMED.map(() => "at last"));
      assertEquals((await requestsSeen(scene, 1)).length, STREAMED.length);
    },
  );
}

for (
  const [what, play] of [
    ["answers", pausesInside("x", 60_000)],
    // Deno tells that a client left only once an answer has begun, which it has with a heartbeat.
    ["thinks", hangs],
  ] as const
) {
  add(
    `C7 chat.abort while the provider ${what}: its request is closed long before it would end`,
    async (scene) => {
      for (const model of [MODELS.responses, MODELS.messages]) {
        await scene.fresh();
        scene.anthropic.script = scene.openai.script = [play];
        const double = model === MODELS.responses ? scene.openai : scene.anthropic;
        const { sessionKey, text } = startTurn(scene.socket, model, "say hello");
        const ended = text.catch(String);
        await until("the provider is asked", () => double.seen.length > 0);
        await delay(300); // it has begun to read
        const began = performance.now();
        const { ok, payload } = await scene.socket.request("chat.abort", { sessionKey });
        assert(ok && payload["aborted"] === true, JSON.stringify(payload));
        // The double, a server of Deno's too, is told no sooner.
        const closed = play === hangs
          ? scene.proxy.logged((line) => line.includes('"outcome":"gone"'))
          : double.seen[0]?.gone ?? Promise.reject(new Error("not asked"));
        assert(await within(30_000, closed), `${model}: still open`);
        const ms = Math.round(performance.now() - began);
        console.log(`${model}: closed ${ms} ms after chat.abort`);
        assertStringIncludes(await ended, "aborted");
      }
    },
  );
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * OpenAI's own client (npm `openai`) against the real proxy: answers, streams and tools, from a
 * provider of the same API (oai), and translated from Anthropic's (ant) and Ollama's (oll).
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import OpenAI from "openai";
import type { ChatCompletionTool } from "openai/resources/chat/completions";
import { CLIENT_KEY, type ClientsWorld, clientsWorld, says } from "./clients_world.ts";
import { CLOCK, USED, WEATHER } from "./double_said.ts";

const { test, end } = clientsWorld();

const VIAS = ["oai", "ant", "oll"] as const;
const HELLO = [{ role: "user", content: "Say hello" }] as const;
const TEXTS = ["Hello, ", "Kraków! ", "🙂"];
const TOOLS: ChatCompletionTool[] = ["weather", "clock"].map((name) => ({
  type: "function",
  function: { name, parameters: { type: "object", properties: { city: { type: "string" } } } },
}));

const clientOf = ({ proxy }: ClientsWorld): OpenAI =>
  new OpenAI({ baseURL: `${proxy.url}/v1`, apiKey: CLIENT_KEY, maxRetries: 0 });

const ask = (model: string) => ({ model, messages: [...HELLO] });

test("A1 models are listed to the end, found by name, or not found", async (world) => {
  const client = clientOf(world);
  const ids: string[] = [];
  for await (const model of client.models.list()) {
    assertEquals([model.object, typeof model.created], ["model", "number"]);
    ids.push(model.id);
  }
  assertEquals(ids, ["auto", "oai/gpt-listed", "ant/claude-listed", "oll/llama-listed"]);
  assertEquals((await client.models.retrieve("ant/claude-listed")).owned_by, "ant");
  const error = await client.models.retrieve("nobody").catch((error: unknown) => error);
  assert(error instanceof OpenAI.NotFoundError, String(error));
  assertEquals([error.code, error.type], ["model_not_found", "invalid_request_error"]);
});

for (const via of VIAS) {
  test(`A2 A3 ${via}: one whole completion, with its parts, its cost and its request id`, async (world) => {
    world.plays(says(via, { texts: TEXTS }));
    const { data, response, request_id } = await clientOf(world).chat.completions
      .create(ask(world.model(via))).withResponse();
    assertMatch(data.id, /^chatcmpl-/);
    assertEquals([data.object, typeof data.created, data.choices.length], [
      ...["chat.completion", "number", 1],
    ]);
    const [choice] = data.choices;
    assertEquals([choice?.index, choice?.finish_reason], [0, "stop"]);
    assertEquals([choice?.message.role, choice?.message.content], ["assistant", TEXTS.join("")]);
    const { prompt_tokens, completion_tokens, total_tokens } = data.usage ?? {};
    assertEquals([prompt_tokens, completion_tokens, total_tokens], [USED.input, USED.output, 112]);
    assert((request_id ?? "").length >= 16);
    assertEquals([
      response.headers.get("x-request-id"),
      (data as { _request_id?: string })._request_id,
    ], [
      request_id,
      request_id,
    ]);
  });

  test(`A4 ${via}: a stream has one id, begins with the role and ends with a reason`, async (world) => {
    world.plays(says(via, { texts: TEXTS }));
    const stream = await clientOf(world).chat.completions
      .create({ ...ask(world.model(via)), stream: true }).withResponse();
    assertMatch(stream.response.headers.get("content-type") ?? "", /^text\/event-stream/);
    const chunks = [];
    for await (const chunk of stream.data) chunks.push(chunk);
    assertEquals(new Set(chunks.map(({ id }) => id)).size, 1);
    assertEquals(new Set(chunks.map(({ object }) => object)), new Set(["chat.completion.chunk"]));
    const deltas = chunks.flatMap(({ choices }) => choices);
    assertEquals(deltas[0]?.delta.role, "assistant");
    assertEquals(deltas.map(({ delta }) => delta.content ?? "").join(""), TEXTS.join(""));
    const reasons = deltas.map(({ finish_reason }) => finish_reason);
    assertEquals([reasons.at(-1), reasons.filter((one) => one !== null).length], ["stop", 1]);
    assert(chunks.every(({ choices }) => choices.length === 1), "a usage nobody asked for");
  });

  test(`A5 ${via}: the usage comes as the last chunk if it is asked for`, async (world) => {
    world.plays(says(via, { texts: TEXTS }));
    const stream = await clientOf(world).chat.completions.create({
      ...ask(world.model(via)),
      ...{ stream: true, stream_options: { include_usage: true } },
    });
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    const last = chunks.at(-1);
    assertEquals([last?.choices, last?.usage?.total_tokens], [[], USED.input + USED.output]);
    assert(chunks.slice(0, -1).every(({ usage }) => usage === null || usage === undefined));
    if (via === "ant") assertEquals(last?.usage?.prompt_tokens_details?.cached_tokens, USED.cached);
  });

  test(`A6 ${via}: calls of tools, whole`, async (world) => {
    world.plays(says(via, { calls: [WEATHER] }));
    const completion = await clientOf(world).chat.completions
      .create({ ...ask(world.model(via)), tools: TOOLS });
    const [choice] = completion.choices;
    assertEquals(choice?.finish_reason, "tool_calls");
    assertEquals(choice?.message.content || null, null);
    const [call, ...others] = choice?.message.tool_calls ?? [];
    assert(call?.type === "function" && others.length === 0);
    assertEquals(call.function.name, WEATHER.name);
    assertEquals(JSON.parse(call.function.arguments), WEATHER.arguments);
    if (via === "ant") {
      assertEquals(choice?.message.content, null);
      assertMatch(call.id, /^[A-Za-z0-9]+$/); // P4: OpenClaw takes all else out of an id
    }
  });

  test(`A7 A8 ${via}: two calls at once, streamed, each chunk with its index`, async (world) => {
    world.plays(says(via, { texts: ["Let me look. "], calls: [WEATHER, CLOCK] }));
    const stream = clientOf(world).chat.completions
      .stream({ ...ask(world.model(via)), tools: TOOLS, parallel_tool_calls: true });
    const begun = new Set<number>();
    for await (const { choices: [choice] } of stream) {
      for (const call of choice?.delta.tool_calls ?? []) {
        assertEquals(typeof call.index, "number");
        assertEquals(begun.has(call.index), call.id === undefined, "id and name once, first");
        begun.add(call.index);
      }
    }
    assertEquals([...begun], [0, 1]);
    const [choice] = (await stream.finalChatCompletion()).choices;
    assertEquals([choice?.finish_reason, choice?.message.content], ["tool_calls", "Let me look. "]);
    const calls = (choice?.message.tool_calls ?? []).map((call) =>
      call.type === "function" ? [call.function.name, JSON.parse(call.function.arguments)] : []
    );
    assertEquals(calls, [["weather", WEATHER.arguments], ["clock", {}]]);
  });

  test(`A7 ${via}: runTools() calls the tool and goes on with its result`, async (world) => {
    world.plays(says(via, { calls: [WEATHER] }), says(via, { texts: ["It rains."] }));
    const asked: unknown[] = [];
    const runner = clientOf(world).chat.completions.runTools({
      ...ask(world.model(via)),
      stream: true,
      tools: [{
        type: "function",
        function: {
          ...{ name: "weather", description: "of a city", parse: JSON.parse },
          parameters: { type: "object", properties: { city: { type: "string" } } },
          function: (given: object) => (asked.push(given), "rain"),
        },
      }],
    });
    assertEquals(await runner.finalContent(), "It rains.");
    assertEquals(asked, [WEATHER.arguments]);
    const text = JSON.stringify(world.sent());
    assert(text.includes("rain") && text.includes("Krak"), text);
    assertEquals(world.upstream.seen.length, 2);
  });
}

/** tool_choice -> what Anthropic is told. */
const CHOICES = [
  ["none", { type: "none" }],
  ["auto", { type: "auto", disable_parallel_tool_use: true }],
  ["required", { type: "any", disable_parallel_tool_use: true }],
  [{ type: "function", function: { name: "clock" } }, {
    ...{ type: "tool", name: "clock", disable_parallel_tool_use: true },
  }],
] as const;

test("A8 tool_choice and parallel_tool_calls reach the provider in its words", async (world) => {
  const client = clientOf(world);
  for (const [choice, translated] of CHOICES) {
    const tool_choice = typeof choice === "string" ? choice : { ...choice };
    for (const via of ["oai", "ant"] as const) {
      world.plays(says(via, { texts: ["ok"] }));
      await client.chat.completions.create({
        ...ask(world.model(via)),
        ...{ tools: TOOLS, tool_choice, parallel_tool_calls: false },
      });
      const sent = world.sent();
      assertEquals(sent["tool_choice"], via === "oai" ? tool_choice : translated);
      assertEquals(sent["parallel_tool_calls"], via === "oai" ? false : undefined);
    }
  }
});

end("openai: answers");

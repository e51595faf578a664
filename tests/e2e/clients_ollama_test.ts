// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Ollama's own client (npm `ollama`) against the real proxy, which serves its /api/chat from
 * Ollama (oll), OpenAI (oai) and Anthropic (ant). Items are numbered as those of OpenAI's client.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type ChatResponse, Ollama } from "ollama";
import {
  CLIENT_KEY,
  type ClientsWorld,
  clientsWorld,
  says,
  SECRET,
  until,
} from "./clients_world.ts";
import { anthropicError, messagePieces } from "./double_anthropic.ts";
import { chatPieces, openAiError } from "./double_openai_chat.ts";
import { CLOCK, USED, WEATHER } from "./double_said.ts";
import { sse } from "./proxy_upstream.ts";

const { test, end } = clientsWorld();

const VIAS = ["oll", "oai", "ant"] as const;
const TEXTS = ["Hello, ", "Kraków! ", "🙂"];
const TOOLS = ["weather", "clock"].map((name) => ({
  type: "function",
  function: {
    ...{ name, description: "" },
    parameters: { type: "object", properties: { city: { type: "string" } } },
  },
}));
/** The first bytes of a PNG. */
const IMAGE = "iVBORw0KGgoAAAANSUhEUg==";

const clientOf = ({ proxy }: ClientsWorld, key = CLIENT_KEY): Ollama =>
  new Ollama({ host: proxy.url, headers: { authorization: `Bearer ${key}` } });

const ask = (model: string) => ({ model, messages: [{ role: "user", content: "Say hello" }] });

async function all(stream: AsyncIterable<ChatResponse>): Promise<ChatResponse[]> {
  const parts: ChatResponse[] = [];
  for await (const part of stream) parts.push(part);
  return parts;
}

const textOf = (parts: readonly ChatResponse[]): string =>
  parts.map(({ message }) => message.content).join("");

test("A1 models are listed and shown, and the version is told", async (world) => {
  const client = clientOf(world);
  const { models } = await client.list();
  assertEquals(models.map(({ name }) => name), [
    ...["auto", "oai/gpt-listed", "ant/claude-listed", "oll/llama-listed"],
  ]);
  const shown = await client.show({ model: "ant/claude-listed" });
  assertEquals(shown.details.family, "ant");
  assert(shown.capabilities.includes("tools"));
  assertMatch((await client.version()).version, /^\d+\.\d+\.\d+$/);
  const error = await client.show({ model: "nobody" }).catch((error: unknown) => error);
  assert(error instanceof Error);
  assertEquals((error as Error & { status_code: number }).status_code, 404);
});

for (const via of VIAS) {
  test(`A2 ${via}: one whole answer, with its reason and its cost`, async (world) => {
    world.plays(says(via, { texts: TEXTS }));
    const answer = await clientOf(world).chat({ ...ask(world.model(via)), stream: false });
    assertEquals([answer.message.role, answer.message.content], ["assistant", TEXTS.join("")]);
    assertEquals([answer.done, answer.done_reason], [true, "stop"]);
    assertEquals([answer.prompt_eval_count, answer.eval_count], [USED.input, USED.output]);
    assert(!Number.isNaN(Date.parse(String(answer.created_at))));
  });

  test(`A4 ${via}: a stream comes in pieces, and its last line says why it ended`, async (world) => {
    world.plays(says(via, { texts: TEXTS }));
    const parts = await all(await clientOf(world).chat({ ...ask(world.model(via)), stream: true }));
    assertEquals(textOf(parts), TEXTS.join(""));
    assert(parts.length > 3, `${parts.length} pieces`);
    const last = parts.at(-1);
    assertEquals([last?.done, last?.done_reason, last?.eval_count], [true, "stop", USED.output]);
    assert(parts.slice(0, -1).every(({ done }) => !done));
  });

  test(`A6 A7 ${via}: two calls with objects as arguments, whole and streamed`, async (world) => {
    world.plays(says(via, { calls: [WEATHER, CLOCK] }));
    const question = { ...ask(world.model(via)), tools: TOOLS };
    const whole = await clientOf(world).chat({ ...question, stream: false });
    const parts = await all(await clientOf(world).chat({ ...question, stream: true }));
    for (
      const calls of [
        whole.message.tool_calls ?? [],
        parts.flatMap(({ message }) => message.tool_calls ?? []),
      ]
    ) {
      assertEquals(calls.map(({ function: { name, arguments: given } }) => [name, given]), [
        ...[["weather", WEATHER.arguments], ["clock", {}]],
      ]);
    }
  });

  test(`A7 A14 ${via}: images, and results of calls without ids, reach the model`, async (world) => {
    world.plays(says(via, { texts: ["It rains."] }));
    const call = (name: string) => ({ function: { name, arguments: {} } });
    const answer = await clientOf(world).chat({
      ...{ model: world.model(via), tools: TOOLS },
      messages: [
        { role: "system", content: "Be kind." },
        { role: "user", content: "Look", images: [IMAGE] },
        { role: "assistant", content: "", tool_calls: [call("weather"), call("clock")] },
        { role: "tool", content: "noon", tool_name: "clock" },
        { role: "tool", content: "rain", tool_name: "weather" },
      ],
    });
    assertEquals(answer.message.content, "It rains.");
    const sent = JSON.stringify(world.sent());
    for (const part of ["Be kind.", "Look", IMAGE, "noon", "rain"]) {
      assertStringIncludes(sent, part);
    }
  });
}

test("A13 options, format and thinking reach the provider in its words", async (world) => {
  world.plays(says("oai", { texts: ["{}"] }));
  await clientOf(world).chat({
    ...{ ...ask(world.model("oai")), format: { type: "object" }, think: "high", keep_alive: 5 },
    options: {
      num_predict: 77,
      temperature: 0.5,
      top_p: 0.9,
      stop: ["END"],
      seed: 7,
      num_ctx: 4096,
    },
  });
  const { model, messages: _, ...sent } = world.sent();
  assertEquals(sent, {
    ...{ max_completion_tokens: 77, temperature: 0.5, top_p: 0.9, stop: ["END"], seed: 7 },
    ...{ reasoning_effort: "high" },
    response_format: {
      type: "json_schema",
      json_schema: { name: "answer", schema: { type: "object" } },
    },
  });
  const line = await world.proxy.logged((one) =>
    one.includes('"event":"request"') && one.includes(String(model))
  );
  assertEquals(JSON.parse(line).changes, "keep_alive left out; num_ctx left out");
});

test("B4 thoughts come apart from the words", async (world) => {
  world.plays(says("oll", { thinking: "Which city?", texts: ["Yes."] }));
  const question = { ...ask(world.model("oll")), think: true };
  const whole = await clientOf(world).chat({ ...question, stream: false });
  assertEquals([whole.message.thinking, whole.message.content], ["Which city?", "Yes."]);
  const parts = await all(await clientOf(world).chat({ ...question, stream: true }));
  assertEquals(parts.map(({ message }) => message.thinking ?? "").join(""), "Which city?");
});

for (const via of ["oai", "ant"] as const) {
  for (const [status, want] of [[400, 400], [401, 404], [429, 503], [500, 503]] as const) {
    test(`A9 ${via}: the provider's ${status} is ${want}, with a text`, async (world) => {
      const message = `no, said about ${SECRET}`;
      world.plays(() =>
        via === "ant" ? anthropicError(status, message) : openAiError(status, message)
      );
      const client = clientOf(world);
      const error = await client.chat({ ...ask(world.model(via)), stream: false })
        .catch((error: unknown) => error);
      assert(error instanceof Error && error.name === "ResponseError", String(error));
      assertEquals((error as Error & { status_code: number }).status_code, want);
      // A stream may have begun with signs of life: then its last line is the error.
      const later = await client.chat({ ...ask(world.model(via)), stream: true }).then(all)
        .catch((error: unknown) => error);
      assert(later instanceof Error, String(later));
      for (const { message } of [error, later]) {
        assert(message.length > 10 && !message.includes(SECRET), message);
      }
    });
  }

  test(`A10 ${via}: a stream that is cut in its middle is an error`, async (world) => {
    const pieces = via === "ant"
      ? messagePieces({ texts: TEXTS }).slice(0, 4)
      : chatPieces({ texts: TEXTS }).slice(0, 2);
    world.plays((_, { gone }) => sse([...pieces, "cut"], gone));
    const parts: ChatResponse[] = [];
    let thrown: unknown = null;
    try {
      const stream = await clientOf(world).chat({ ...ask(world.model(via)), stream: true });
      for await (const part of stream) parts.push(part);
    } catch (error) {
      thrown = error;
    }
    assertEquals(textOf(parts), "Hello");
    assert(thrown instanceof Error && !/did not receive done/i.test(thrown.message), `${thrown}`);
  });

  test(`A11 ${via}: signs of life while the provider is silent are no words`, async (world) => {
    const pieces = via === "ant" ? messagePieces({ texts: TEXTS }) : chatPieces({ texts: TEXTS });
    world.plays((_, { gone }) => sse([500, ...pieces.slice(0, 4), 500, ...pieces.slice(4)], gone));
    const parts = await all(await clientOf(world).chat({ ...ask(world.model(via)), stream: true }));
    assertEquals(textOf(parts), TEXTS.join(""));
    assert(parts.filter(({ message }) => message.content === "").length > 3, "no signs of life");
  });

  test(`A12 ${via}: abort() ends the provider's work`, async (world) => {
    const pieces = via === "ant" ? messagePieces({ texts: TEXTS }) : chatPieces({ texts: TEXTS });
    world.plays((_, { gone }) => sse([...pieces.slice(0, 4), 60_000], gone));
    const stream = await clientOf(world).chat({ ...ask(world.model(via)), stream: true });
    try {
      for await (const _ of stream) stream.abort();
    } catch {
      // that it was aborted
    }
    let gone = false;
    world.upstream.seen[0]?.gone.then(() => gone = true);
    await until(() => gone, "the provider is left");
  });
}

test("A9 an unknown key is refused in Ollama's words", async (world) => {
  const error = await clientOf(world, "guessed").chat(ask(world.model("oai")))
    .catch((error: unknown) => error);
  assertEquals((error as Error & { status_code: number }).status_code, 401);
});

end("ollama");

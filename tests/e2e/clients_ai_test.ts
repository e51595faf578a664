// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Vercel's AI SDK (npm `ai`, `@ai-sdk/openai-compatible`) against the real proxy. The items are
 * those of OpenAI's client, whose API it speaks with a parser of its own.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, embed, generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";
import { CLIENT_KEY, type ClientsWorld, clientsWorld, says, until } from "./clients_world.ts";
import { anthropicError, errorEvent, messagePieces } from "./double_anthropic.ts";
import { chatPieces, openAiError } from "./double_openai_chat.ts";
import { embeds, VECTOR } from "./double_responses.ts";
import { USED, WEATHER } from "./double_said.ts";
import { sse } from "./proxy_upstream.ts";

const { test, end } = clientsWorld();

const VIAS = ["oai", "ant", "oll"] as const;
const TEXTS = ["Hello, ", "Kraków! ", "🙂"];

const providerOf = ({ proxy }: ClientsWorld) =>
  createOpenAICompatible({
    ...{ name: "proxy", baseURL: `${proxy.url}/v1`, apiKey: CLIENT_KEY, includeUsage: true },
  });

const ask = (world: ClientsWorld, model: string) => ({
  ...{ model: providerOf(world)(model), prompt: "Say hello", maxRetries: 0 },
});

for (const via of VIAS) {
  test(`A2 ${via}: generateText() gets the words, the reason and the cost`, async (world) => {
    world.plays(says(via, { texts: TEXTS }));
    const { text, finishReason, usage } = await generateText(ask(world, world.model(via)));
    assertEquals([text, finishReason], [TEXTS.join(""), "stop"]);
    assertEquals([usage.inputTokens, usage.outputTokens], [USED.input, USED.output]);
  });

  test(`A4 A5 ${via}: streamText() gets the words in pieces, and the cost`, async (world) => {
    world.plays(says(via, { texts: TEXTS }));
    const result = streamText(ask(world, world.model(via)));
    const pieces: string[] = [];
    for await (const piece of result.textStream) pieces.push(piece);
    assertEquals(pieces.join(""), TEXTS.join(""));
    assert(pieces.length >= 3, "not in pieces");
    assertEquals((await result.usage).outputTokens, USED.output);
  });

  test(`A7 ${via}: a tool is called, and its result goes back, streamed`, async (world) => {
    world.plays(says(via, { calls: [WEATHER] }), says(via, { texts: ["It rains."] }));
    const given: unknown[] = [];
    const weather = tool({
      inputSchema: jsonSchema<{ city: string }>({
        ...{ type: "object", properties: { city: { type: "string" } } },
      }),
      execute: (input: { city: string }) => (given.push(input), "rain"),
    });
    const result = streamText({
      ...{ ...ask(world, world.model(via)), tools: { weather }, stopWhen: stepCountIs(3) },
    });
    assertEquals(await result.text, "It rains.");
    assertEquals(given, [WEATHER.arguments]);
    assertEquals((await result.steps).length, 2);
  });
}

for (const via of ["oai", "ant"] as const) {
  test(`A9 ${via}: a refusal is an APICallError with its status and words`, async (world) => {
    const message = "temperature: too hot";
    world.plays(() => via === "ant" ? anthropicError(400, message) : openAiError(400, message));
    const error = await generateText(ask(world, world.model(via))).catch((error: unknown) => error);
    assert(APICallError.isInstance(error), String(error));
    assertEquals([error.statusCode, error.isRetryable], [400, false]);
    assert(error.message.includes("too hot"), error.message);
  });

  test(`A10 ${via}: a stream that fails in its middle is an error, never a success`, async (world) => {
    const pieces = via === "ant"
      ? [...messagePieces({ texts: TEXTS }).slice(0, 4), errorEvent(529, "Overloaded")]
      : [...chatPieces({ texts: TEXTS }).slice(0, 2), "cut" as const];
    world.plays((_, { gone }) => sse(pieces, gone));
    const errors: unknown[] = [];
    const result = streamText({
      ...ask(world, world.model(via)),
      onError: ({ error }) => void errors.push(error),
    });
    let text = "";
    for await (const piece of result.textStream) text += piece;
    assertEquals([text, errors.length], ["Hello", 1]);
  });

  test(`A11 ${via}: signs of life while the provider is silent are no words`, async (world) => {
    const pieces = via === "ant" ? messagePieces({ texts: TEXTS }) : chatPieces({ texts: TEXTS });
    world.plays((_, { gone }) => sse([400, ...pieces.slice(0, 4), 400, ...pieces.slice(4)], gone));
    assertEquals(await streamText(ask(world, world.model(via))).text, TEXTS.join(""));
  });

  test(`A12 ${via}: an AbortSignal ends the provider's work`, async (world) => {
    const pieces = via === "ant" ? messagePieces({ texts: TEXTS }) : chatPieces({ texts: TEXTS });
    world.plays((_, { gone }) => sse([...pieces.slice(0, 4), 60_000], gone));
    const leaving = new AbortController();
    const result = streamText({
      ...{ ...ask(world, world.model(via)), abortSignal: leaving.signal, onError() {} },
    });
    for await (const _ of result.textStream) leaving.abort();
    let gone = false;
    world.upstream.seen[0]?.gone.then(() => gone = true);
    await until(() => gone, "the provider is left");
  });
}

test("A17 embed() gets its numbers", async (world) => {
  world.plays(embeds);
  const model = providerOf(world).embeddingModel(world.model("oai"));
  assertEquals((await embed({ model, value: "Say hello" })).embedding, VECTOR);
});

end("ai");

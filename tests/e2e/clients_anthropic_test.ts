// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Anthropic's own client (npm `@anthropic-ai/sdk`), 1.x and 0.x alike, against the real proxy:
 * from a provider of the same API (ant), and translated from OpenAI's (oai) and Ollama's (oll).
 *
 * @module
 */

import { seal } from "../../vm/proxy/translate/provenance.ts";
import { assert, assertEquals, assertMatch } from "@std/assert";
import type Anthropic from "@anthropic-ai/sdk";
import { ask, clientsOf, failureOf, HELLO, MAJORS, textOf, TEXTS } from "./clients_anthropic.ts";
import { clientsWorld, says, SECRET } from "./clients_world.ts";
import {
  anthropicEvent,
  anthropicSays,
  COUNTED,
  messagePieces,
  SIGNATURE,
} from "./double_anthropic.ts";
import { type AnthropicStop, CLOCK, USED, WEATHER } from "./double_said.ts";
import { sse } from "./proxy_upstream.ts";

const { test, end } = clientsWorld();

const VIAS = ["ant", "oai", "oll"] as const;
const TOOLS = ["weather", "clock"].map((name) => ({
  name,
  input_schema: { type: "object" as const, properties: { city: { type: "string" } } },
}));

/** Anthropic's reason -> what is left of it after OpenAI's words for it. */
const CHAT_STOPS: Readonly<Record<AnthropicStop, AnthropicStop>> = {
  ...{ end_turn: "end_turn", max_tokens: "max_tokens", stop_sequence: "end_turn" },
  ...{ tool_use: "tool_use", pause_turn: "end_turn", refusal: "refusal" },
  model_context_window_exceeded: "max_tokens",
};

const STOPS = Object.keys(CHAT_STOPS) as AnthropicStop[];

for (const [major, Client] of MAJORS) {
  const clientOf = clientsOf(Client);

  test(`B1 ${major}: its way to send the key and the version is taken; betas go on unchanged`, async (world) => {
    world.plays(says("ant", { texts: TEXTS }));
    const headers = {
      "anthropic-beta": "context-1m-2025-08-07,fine-grained-tool-streaming-2025-05-14",
    };
    await clientOf(world).messages.create(ask(world.model("ant")), { headers });
    const sent = world.upstream.seen[0]?.headers;
    assertEquals(sent?.get("anthropic-beta"), headers["anthropic-beta"]);
    assertEquals(sent?.get("anthropic-version"), major === "1.x" ? "2026-10-21" : "2023-06-01");
    assertEquals([sent?.get("x-api-key"), sent?.get("authorization")], [SECRET, null]);
    const stranger = await failureOf(clientOf(world, "guessed"), world.model("ant"));
    assert(stranger instanceof Client.AuthenticationError, String(stranger));
  });

  for (const via of VIAS) {
    test(`B2 ${major} ${via}: one whole message, with its parts, its cost and its request id`, async (world) => {
      world.plays(says(via, { texts: TEXTS }));
      const { data, response, request_id } = await clientOf(world).messages
        .create(ask(world.model(via))).withResponse();
      assertMatch(data.id, /^msg_/);
      assertEquals([data.type, data.role, data.stop_reason, data.stop_sequence], [
        ...["message", "assistant", "end_turn", null],
      ]);
      assertEquals(textOf(data.content), TEXTS.join(""));
      const { input_tokens, output_tokens } = data.usage;
      const cached = data.usage.cache_read_input_tokens ?? 0;
      assertEquals([input_tokens + cached, output_tokens], [USED.input, USED.output]);
      assertEquals(cached, via === "oll" ? 0 : USED.cached);
      assertEquals(data.usage.cache_creation_input_tokens, 0);
      assert((request_id ?? "").length >= 16);
      assertEquals(response.headers.get("request-id"), request_id);
    });

    test(`B3 ${major} ${via}: the events of a stream come in their order`, async (world) => {
      world.plays(says(via, { texts: TEXTS, calls: [WEATHER] }));
      const stream = await clientOf(world).messages
        .create({ ...ask(world.model(via)), tools: TOOLS, stream: true });
      const order: string[] = [];
      for await (const event of stream) {
        const name = "index" in event ? `${event.type} ${event.index}` : event.type;
        if (order.at(-1) !== name) order.push(name);
      }
      const block = (index: number) =>
        ["start", "delta", "stop"].map((what) => `content_block_${what} ${index}`);
      const want = ["message_start", ...block(0), ...block(1), "message_delta", "message_stop"];
      assertEquals(order, want);
    });

    test(`B4 B5 ${major} ${via}: words and two calls are put together again`, async (world) => {
      world.plays(says(via, { texts: ["Let me look. "], calls: [WEATHER, CLOCK] }));
      const stream = clientOf(world).messages.stream({ ...ask(world.model(via)), tools: TOOLS });
      let json = "";
      stream.on("inputJson", (partial) => void (json += partial));
      const message = await stream.finalMessage();
      assertEquals(message.stop_reason, "tool_use");
      assertEquals(textOf(message.content), "Let me look. ");
      const calls = message.content.flatMap((block) =>
        block.type === "tool_use" ? [[block.name, block.input]] : []
      );
      assertEquals(calls, [["weather", WEATHER.arguments], ["clock", {}]]);
      assert(json.includes("Krak"), "no arguments in pieces");
      assertEquals(message.usage.output_tokens, USED.output);
    });

    test(`B5 ${major} ${via}: the result of a call, with an image, reaches the model`, async (world) => {
      world.plays(says(via, { texts: ["It rains."] }));
      const data = btoa("not really a picture");
      const image = {
        type: "image" as const,
        source: { type: "base64" as const, media_type: "image/png" as const, data },
      };
      const message = await clientOf(world).messages.create({
        ...ask(world.model(via)),
        tools: TOOLS,
        messages: [
          { role: "user", content: [{ type: "text", text: "Look" }, image] },
          {
            role: "assistant",
            content: [{ type: "tool_use", id: "toolu_1", name: "weather", input: { city: "X" } }],
          },
          {
            role: "user",
            content: [{ type: "tool_result", tool_use_id: "toolu_1", content: "rain" }],
          },
        ],
      });
      assertEquals(textOf(message.content), "It rains.");
      const sent = JSON.stringify(world.sent());
      for (const part of [data, "rain", "weather"]) assert(sent.includes(part), `${part} is lost`);
    });
  }

  test(`B4 ${major}: thoughts, whole and streamed, signed by Anthropic, sealed with the name of others`, async (world) => {
    for (const [via, signature] of [["ant", SIGNATURE], ["oll", seal("oll", "")]] as const) {
      world.plays(says(via, { thinking: "Which city?", texts: ["Yes."] }));
      const question = {
        ...ask(world.model(via)),
        ...{ max_tokens: 4000, thinking: { type: "enabled" as const, budget_tokens: 2000 } },
      };
      const thoughts = ({ content: [first] }: Anthropic.Message) =>
        first?.type === "thinking" ? [first.thinking, first.signature] : [];
      const whole = await clientOf(world).messages.create(question);
      assertEquals(thoughts(whole), ["Which city?", signature]);
      const streamed = await clientOf(world).messages.stream(question).finalMessage();
      assertEquals(thoughts(streamed), ["Which city?", signature]);
    }
  });

  test(`B4 ${major}: citations pass`, async (world) => {
    const citation = {
      ...{
        type: "char_location" as const,
        cited_text: "x",
        document_index: 0,
        document_title: null,
      },
      ...{ start_char_index: 0, end_char_index: 1, file_id: null },
    };
    const [start, ping, begin, ...rest] = messagePieces({ texts: ["Yes."] });
    const cites = anthropicEvent("content_block_delta", {
      index: 0,
      delta: { type: "citations_delta", citation },
    });
    world.plays((_, { gone }) =>
      sse([start, ping, begin, cites, ...rest].flatMap((one) => one ?? []), gone)
    );
    const message = await clientOf(world).messages.stream(ask(world.model("ant"))).finalMessage();
    const [block] = message.content;
    assertEquals(block?.type === "text" ? block.citations : null, [citation]);
  });

  test(`B8 ${major}: tokens are counted by who can, and estimated for others; models are listed`, async (world) => {
    world.plays(anthropicSays({}));
    const client = clientOf(world);
    const counted = await client.messages.countTokens({
      model: world.model("ant"),
      messages: HELLO,
    });
    assertEquals([counted.input_tokens, world.upstream.seen[0]?.path], [
      COUNTED,
      "/v1/messages/count_tokens",
    ]);
    const guessed = await client.messages.countTokens({
      model: world.model("oai"),
      messages: HELLO,
    });
    assert(guessed.input_tokens > 3 && guessed.input_tokens < 60, `${guessed.input_tokens}`);
    const ids: string[] = [];
    for await (const model of client.models.list()) {
      assertEquals([model.type, Number.isNaN(Date.parse(model.created_at))], ["model", false]);
      ids.push(model.id);
    }
    assertEquals(ids, ["auto", "oai/gpt-listed", "ant/claude-listed", "oll/llama-listed"]);
    assertEquals((await client.models.retrieve("auto")).id, "auto");
  });

  test(`B9 ${major}: what the client itself refuses never reaches a provider`, async (world) => {
    world.plays(says("ant", { texts: TEXTS }));
    const question = { ...ask(world.model("ant")), max_tokens: 640_000 };
    const error = await (async () => await clientOf(world).messages.create(question))()
      .catch((error: unknown) => error);
    assert(error instanceof Client.AnthropicError, String(error));
    assertEquals(world.upstream.seen.length, 0);
  });

  for (const via of ["ant", "oai"] as const) {
    for (const stop of STOPS) {
      test(`B10 ${major} ${via}: it stopped for ${stop}`, async (world) => {
        const calls = stop === "tool_use" ? { calls: [WEATHER] } : { stop };
        world.plays(says(via, { texts: ["x"], ...calls }));
        const question = ask(world.model(via));
        const want = via === "ant" ? stop : CHAT_STOPS[stop];
        assertEquals((await clientOf(world).messages.create(question)).stop_reason, want);
        const streamed = await clientOf(world).messages.stream(question).finalMessage();
        assertEquals(streamed.stop_reason, want);
        if (via === "ant") {
          assertEquals(streamed.stop_sequence, stop === "stop_sequence" ? "END" : null);
        }
      });
    }
  }
}

end("anthropic");

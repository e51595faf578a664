// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * OpenAI's own client and its responses API against the real proxy: from a provider that serves
 * it (res), and translated from chat completions (oai) and from Anthropic's messages (ant).
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import OpenAI from "openai";
import type { ResponseInput, ResponseStreamEvent } from "openai/resources/responses/responses";
import {
  CLIENT_KEY,
  type ClientsWorld,
  clientsWorld,
  says,
  until,
  type Via,
} from "./clients_world.ts";
import { errorEvent, messagePieces } from "./double_anthropic.ts";
import { chatPieces } from "./double_openai_chat.ts";
import { responsePieces } from "./double_responses.ts";
import { CLOCK, type Said, USED, WEATHER } from "./double_said.ts";
import { type Piece, sse } from "./proxy_upstream.ts";

const { test, end } = clientsWorld();

const VIAS = ["res", "oai", "ant"] as const;
const TEXTS = ["Hello, ", "Kraków! ", "🙂"];
const TOOLS = ["weather", "clock"].map((name) => ({
  ...{ type: "function" as const, name, strict: false },
  parameters: { type: "object", properties: { city: { type: "string" } } },
}));

const clientOf = ({ proxy }: ClientsWorld): OpenAI =>
  new OpenAI({ baseURL: `${proxy.url}/v1`, apiKey: CLIENT_KEY, maxRetries: 0 });

const ask = (model: string) => ({ model, input: "Say hello" });

function piecesOf(via: Via, said: Said): Piece[] {
  return via === "ant"
    ? messagePieces(said)
    : via === "res"
    ? responsePieces(said)
    : chatPieces(said);
}

for (const via of VIAS) {
  test(`A15 ${via}: one whole response, with its text and its cost`, async (world) => {
    world.plays(says(via, { texts: TEXTS }));
    const { data, request_id } = await clientOf(world).responses
      .create(ask(world.model(via))).withResponse();
    assertMatch(data.id, /^resp_/);
    assertEquals([data.object, data.status, data.output_text], [
      ...["response", "completed", TEXTS.join("")],
    ]);
    const [item] = data.output;
    assert(item?.type === "message" && item.content[0]?.type === "output_text");
    assertEquals(item.content[0].annotations, []);
    assertEquals([data.usage?.input_tokens, data.usage?.output_tokens], [USED.input, USED.output]);
    assertEquals(data.usage?.input_tokens_details.cached_tokens, USED.cached);
    assert((request_id ?? "").length >= 16);
    const path = { res: "/v1/responses", oai: "/v1/chat/completions", ant: "/v1/messages" }[via];
    assertEquals(world.upstream.seen[0]?.path, path);
  });

  test(`A16 ${via}: the events of a stream come in their order, numbered and named`, async (world) => {
    world.plays(says(via, { texts: TEXTS }));
    const stream = await clientOf(world).responses.create({
      ...ask(world.model(via)),
      stream: true,
    });
    const events: ResponseStreamEvent[] = [];
    for await (const event of stream) events.push(event);
    assertEquals(events.map(({ sequence_number }) => sequence_number), events.map((_, at) => at));
    const types = events.map(({ type }) => type.replace("response.", ""))
      .filter((type) => type !== "keepalive") // Anthropic's ping
      .filter((type, at, all) => type !== all[at - 1]);
    assertEquals(types, [
      ...["created", "in_progress", "output_item.added", "content_part.added"],
      ...["output_text.delta", "output_text.done", "content_part.done", "output_item.done"],
      "completed",
    ]);
    const last = events.at(-1);
    assert(last?.type === "response.completed");
    assertEquals(last.response.usage?.total_tokens, USED.input + USED.output);
  });

  test(`A16 ${via}: words and two calls are put together again`, async (world) => {
    world.plays(says(via, { texts: ["Let me look. "], calls: [WEATHER, CLOCK] }));
    const stream = clientOf(world).responses.stream({ ...ask(world.model(via)), tools: TOOLS });
    let pieces = 0;
    stream.on("response.function_call_arguments.delta", () => void pieces++);
    const { output, output_text } = await stream.finalResponse();
    assertEquals(output_text, "Let me look. ");
    const calls = output.flatMap((item) =>
      item.type === "function_call" ? [[item.name, JSON.parse(item.arguments)]] : []
    );
    assertEquals(calls, [["weather", WEATHER.arguments], ["clock", {}]]);
    assert(pieces > 2, "no arguments in pieces");
  });

  test(`A16 ${via}: results of calls, images and both kinds of instruction reach the model`, async (world) => {
    world.plays(says(via, { texts: ["It rains."] }));
    const data = btoa("not really a picture");
    const input: ResponseInput = [
      { type: "message", role: "developer", content: [{ type: "input_text", text: "Be brief." }] },
      {
        ...{ type: "message", role: "user" },
        content: [
          { type: "input_text", text: "Look" },
          { type: "input_image", detail: "auto", image_url: `data:image/png;base64,${data}` },
        ],
      },
      { type: "function_call", call_id: "call_9", name: "weather", arguments: '{"city":"X"}' },
      { type: "function_call_output", call_id: "call_9", output: "rain" },
    ];
    const response = await clientOf(world).responses.create({
      ...{ model: world.model(via), instructions: "Be kind.", input, tools: TOOLS, store: false },
      ...{ max_output_tokens: 4000, include: ["reasoning.encrypted_content" as const] },
      reasoning: { effort: "high", summary: "auto" },
    });
    assertEquals(response.output_text, "It rains.");
    const sent = JSON.stringify(world.sent());
    for (const part of ["Be brief.", "Be kind.", "Look", data, "weather", "rain", "4000"]) {
      assertStringIncludes(sent, part);
    }
  });

  test(`A16 ${via}: a silent provider is covered by signs of life, before and after its first word`, async (world) => {
    const pieces = piecesOf(via, { texts: TEXTS });
    world.plays((_, { gone }) => sse([700, ...pieces.slice(0, 5), 700, ...pieces.slice(5)], gone));
    const stream = clientOf(world).responses.stream(ask(world.model(via)));
    const types: string[] = [];
    stream.on("event", ({ type }: { readonly type: string }) => void types.push(type));
    assertEquals((await stream.finalResponse()).output_text, TEXTS.join(""));
    const created = types.filter((type) => type === "response.created").length;
    assert(via === "res" ? created === 1 : created > 1, types.join());
    assert(types.filter((type) => type === "keepalive").length > 1, types.join());
  });

  test(`A16 ${via}: a stream that fails, is cut or just ends is an APIError`, async (world) => {
    const begun = piecesOf(via, { texts: TEXTS }).slice(
      0,
      via === "oai" ? 2 : via === "ant" ? 4 : 5,
    );
    const error = { message: "Overloaded", type: "server_error", code: null, param: null };
    const failure = via === "ant"
      ? errorEvent(529, "Overloaded")
      : via === "res"
      ? `event: error\ndata: ${
        JSON.stringify({ ...error, type: "error", sequence_number: 9, error })
      }\n\n`
      : `data: ${JSON.stringify({ error })}\n\n`;
    for (const rest of [[failure], ["cut" as const], []]) {
      world.plays((_, { gone }) => sse([...begun, ...rest], gone));
      const events: string[] = [];
      let thrown: unknown = null;
      try {
        const question = { ...ask(world.model(via)), stream: true as const };
        for await (const event of await clientOf(world).responses.create(question)) {
          events.push(event.type);
        }
      } catch (error) {
        thrown = error;
      }
      assert(events.includes("response.output_text.delta"), `after ${rest}: ${events}`);
      assert(thrown instanceof OpenAI.APIError, `after ${rest}: ${thrown} ${events}`);
    }
  });

  test(`A12 ${via}: a client that leaves a response ends the provider's work`, async (world) => {
    world.plays((_, { gone }) =>
      sse([...piecesOf(via, { texts: TEXTS }).slice(0, 6), 60_000], gone)
    );
    const question = { ...ask(world.model(via)), stream: true as const };
    for await (const { type } of await clientOf(world).responses.create(question)) {
      if (type === "response.output_text.delta") break;
    }
    let gone = false;
    world.upstream.seen[0]?.gone.then(() => gone = true);
    await until(() => gone, "the provider is left");
  });

  test(`A16 ${via}: an answer that became too long is incomplete, and says why`, async (world) => {
    world.plays(says(via, { texts: TEXTS, stop: "max_tokens" }));
    const response = await clientOf(world).responses.create(ask(world.model(via)));
    assertEquals([response.status, response.incomplete_details?.reason], [
      ...["incomplete", "max_output_tokens"],
    ]);
    const streamed = await clientOf(world).responses.stream(ask(world.model(via))).finalResponse();
    assertEquals(streamed.status, "incomplete");
  });
}

end("responses");

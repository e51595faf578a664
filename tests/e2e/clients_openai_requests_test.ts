// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What OpenAI's own client may ask for, as it reaches a provider of the same API (oai), and one
 * of Anthropic's (ant), which is strict about what it does not know; embeddings; latency.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import OpenAI from "openai";
import type { ChatCompletionMessageParam } from "openai/resources/chat/completions";
import { CLIENT_KEY, type ClientsWorld, clientsWorld, says } from "./clients_world.ts";
import { chatPieces } from "./double_openai_chat.ts";
import { embeds, VECTOR } from "./double_responses.ts";
import { type Piece, sse } from "./proxy_upstream.ts";

const { test, end } = clientsWorld({ heartbeatSeconds: 5 });

const clientOf = ({ proxy }: ClientsWorld): OpenAI =>
  new OpenAI({ baseURL: `${proxy.url}/v1`, apiKey: CLIENT_KEY, maxRetries: 0 });

const ask = (model: string) => ({
  model,
  messages: [{ role: "user" as const, content: "Say hello" }],
});

const SCHEMA = {
  type: "json_schema" as const,
  json_schema: { name: "greeting", schema: { type: "object", properties: {} }, strict: true },
};

const FIELDS = {
  ...{ response_format: SCHEMA, reasoning_effort: "low" as const, verbosity: "low" as const },
  ...{ seed: 7, stop: ["END"], user: "u1", metadata: { team: "x" }, store: false, n: 1 },
  ...{ service_tier: "auto" as const, prompt_cache_key: "k", safety_identifier: "s" },
  ...{ logit_bias: { "50256": -100 }, max_completion_tokens: 777, temperature: 0.3, top_p: 0.9 },
  ...{ frequency_penalty: 0.1, presence_penalty: 0.2, logprobs: false, parallel_tool_calls: true },
  tools: [{
    type: "function" as const,
    function: { name: "clock", parameters: { type: "object", properties: {} } },
  }],
};

test("A13 oai: every field goes on as it is", async (world) => {
  world.plays(says("oai", { texts: ["{}"] }));
  const model = world.model("oai");
  await clientOf(world).chat.completions.create({ ...ask(model), ...FIELDS });
  const { model: _, messages: __, ...sent } = world.sent();
  assertEquals(sent, FIELDS);
});

for (const name of ["claude-sonnet-4-5", "claude-opus-5"]) {
  test(`A13 ant: ${name} gets what it knows, and the log names the fields that are left out`, async (world) => {
    world.plays(says("ant", { texts: ["{}"] }));
    const model = world.model("ant", name);
    const completion = await clientOf(world).chat.completions.create({ ...ask(model), ...FIELDS });
    assertEquals(completion.choices[0]?.message.content, "{}");
    const sent = world.sent();
    assertEquals([sent["max_tokens"], sent["stop_sequences"]], [777, ["END"]]);
    assertEquals(sent["metadata"], { user_id: "s" });
    const line = await world.proxy.logged((one) =>
      one.includes('"event":"request"') && one.includes(model)
    );
    const { changes } = JSON.parse(line);
    for (const field of ["seed", "logit_bias", "verbosity", "prompt_cache_key", "service_tier"]) {
      assertStringIncludes(changes, `${field} left out`);
    }
    if (name === "claude-opus-5") {
      assertStringIncludes(changes, "temperature, top_p, top_k left out");
    }
    assert(!line.includes("50256") && !line.includes("u1"), "values in the log");
  });
}

const IMAGE = `data:image/png;base64,${btoa("not really a picture")}`;
const LINK = "https://example.org/cat.png";

/** Roles and kinds of content that OpenClaw and others send (P2). */
const MESSAGES: ChatCompletionMessageParam[] = [
  { role: "developer", content: "Be brief." },
  { role: "system", content: [{ type: "text", text: "Be kind." }] },
  { role: "user", content: "One." },
  {
    role: "user",
    content: [
      { type: "text", text: "Two." },
      { type: "image_url", image_url: { url: IMAGE, detail: "low" } },
      { type: "image_url", image_url: { url: LINK } },
    ],
  },
  {
    ...{ role: "assistant", content: null },
    tool_calls: [{ id: "call1", type: "function", function: { name: "clock", arguments: "{}" } }],
  },
  { role: "tool", tool_call_id: "call1", content: [{ type: "text", text: "noon" }] },
  { role: "user", content: "Three." },
];

test("A14 oai: every role and kind of content goes on as it is", async (world) => {
  world.plays(says("oai", { texts: ["ok"] }));
  await clientOf(world).chat.completions.create({ model: world.model("oai"), messages: MESSAGES });
  assertEquals(world.sent()["messages"], MESSAGES);
});

test("A14 ant: every role and kind of content, in Anthropic's words", async (world) => {
  world.plays(says("ant", { texts: ["ok"] }));
  await clientOf(world).chat.completions.create({ model: world.model("ant"), messages: MESSAGES });
  const sent = JSON.parse(
    JSON.stringify(world.sent(), (key, value) => key === "cache_control" ? undefined : value),
  );
  const text = (words: string) => ({ type: "text", text: words });
  assertEquals(sent.system, [text("Be brief."), text("Be kind.")]);
  const data = IMAGE.split(",")[1];
  assertEquals(sent.messages, [
    {
      role: "user",
      content: [
        ...[text("One."), text("Two.")],
        { type: "image", source: { type: "base64", media_type: "image/png", data } },
        { type: "image", source: { type: "url", url: LINK } },
      ],
    },
    { role: "assistant", content: [{ type: "tool_use", id: "call1", name: "clock", input: {} }] },
    {
      role: "user",
      content: [
        { type: "tool_result", tool_use_id: "call1", content: [text("noon")] },
        text("Three."),
      ],
    },
  ]);
});

test("A14 the old role function, and its call, reach Anthropic as a tool's", async (world) => {
  world.plays(says("ant", { texts: ["ok"] }));
  await clientOf(world).chat.completions.create({
    model: world.model("ant"),
    messages: [
      { role: "user", content: "Time?" },
      { role: "assistant", content: null, function_call: { name: "clock", arguments: "{}" } },
      { role: "function", name: "clock", content: "noon" },
    ],
  });
  const sent = JSON.stringify(world.sent()["messages"]);
  assertStringIncludes(sent, '"tool_use"');
  assertStringIncludes(sent, "noon");
});

test("A17 embeddings come packed as the client wants them; where there are none, 404", async (world) => {
  world.plays(embeds);
  const client = clientOf(world);
  const { data: [first], usage } = await client.embeddings
    .create({ model: world.model("oai"), input: "Say hello" });
  assertEquals([first?.embedding, usage.total_tokens], [VECTOR, 8]);
  assertEquals(world.sent()["encoding_format"], "base64");
  const error = await client.embeddings.create({ model: world.model("ant"), input: "x" })
    .catch((error: unknown) => error);
  assert(error instanceof OpenAI.NotFoundError, String(error));
  assertEquals(error.code, "model_not_found");
});

test("A18 a stream is not packed, and each chunk comes before the next is sent", async (world) => {
  const pieces = chatPieces({ texts: ["abcdefghij".repeat(10)] });
  // The first is held back until the second shows that the answer has begun.
  const arrived = pieces.map(() => Promise.withResolvers<void>());
  const paced = pieces.flatMap((piece, i): Piece[] =>
    i < 2 ? [piece] : [
      arrived[i - 1]?.promise ?? 0,
      piece,
    ]
  );
  world.plays((_, { gone }) => sse(paced, gone));
  const { data, response } = await clientOf(world).chat.completions
    .create({ ...ask(world.model("oai")), stream: true }, {
      headers: { "accept-encoding": "gzip" },
    })
    .withResponse();
  assertEquals(response.headers.get("content-encoding"), null);
  let count = 0;
  for await (const _ of data) arrived[count++]?.resolve();
  assertEquals(count, pieces.length - 1); // [DONE] is none
});

test("P7 a request of 26 MB, as pictures make it, goes through either way", async (world) => {
  const url = `data:image/png;base64,${"A".repeat(26_000_000)}`;
  for (const via of ["oai", "ant"] as const) {
    world.plays(says(via, { texts: ["I see."] }));
    const completion = await clientOf(world).chat.completions.create({
      model: world.model(via),
      messages: [{ role: "user", content: [{ type: "image_url", image_url: { url } }] }],
    });
    assertEquals(completion.choices[0]?.message.content, "I see.");
    assert((world.upstream.seen[0]?.text.length ?? 0) > 26_000_000);
  }
});

test("P1 P8 P10 what needs no key, what does, and an id on every answer", async ({ proxy }) => {
  const get = ["/health", "/healthz", "/readyz", "/metrics", "/v1/models", "/v1/models/auto"];
  const post = ["/v1/chat/completions", "/v1/messages", "/v1/messages/count_tokens"];
  for (
    const [method, path, want] of [
      ...[...get, "/api/tags", "/api/version"].map((path) => ["GET", path, 200] as const),
      ...[...post, "/v1/responses", "/v1/embeddings", "/api/chat"].map((path) =>
        ["POST", path, 401] as const
      ),
      ...[["GET", "/nothing", 404], ["GET", "/v1/responses", 405], [
        "PUT",
        "/v1/models",
        404,
      ]] as const,
    ]
  ) {
    const body = method === "POST" ? JSON.stringify({ model: "auto" }) : null;
    const answer = await fetch(proxy.url + path, { method, body });
    assertEquals(answer.status, want, `${method} ${path}`);
    assert((answer.headers.get("x-request-id") ?? "").length >= 16, `${method} ${path}`);
    await answer.body?.cancel();
  }
});

end("openai: requests");

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Providers that are reached by configuration alone: each double has the paths, the way to send the
 * key, the strictness and the oddities that the provider publishes.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { startProxy } from "./proxy_world.ts";
import { tunnelWorld } from "./tunnel_world.ts";

const KEY = "sk-secret-0123456789abcdef";

interface Preset {
  readonly name: string;
  /** In proxy.json, beside baseUrl and the key. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Behind the host. */
  readonly base: string;
  /** What must come, the query included. */
  readonly path: string;
  readonly model: string;
  readonly keyHeader?: "authorization" | "api-key" | "none";
  readonly limit?: "max_tokens" | "max_completion_tokens";
  /** Fields that it answers with 422. */
  readonly refuses?: readonly string[];
  /** Events before the content, and the usage of the end. */
  readonly before?: readonly string[];
  readonly usage?: Readonly<Record<string, unknown>>;
  readonly output?: number;
}

const data = (json: unknown): string => `data: ${JSON.stringify(json)}\n\n`;
const delta = (fields: unknown, more: Record<string, unknown> = {}): string =>
  data({
    ...{ id: "chatcmpl-up", object: "chat.completion.chunk", created: 1, model: "m" },
    choices: [{ index: 0, delta: fields, finish_reason: null }],
    ...more,
  });

const PRESETS: readonly Preset[] = [
  {
    name: "OpenRouter",
    ...{ config: { dialect: "openrouter" }, base: "/api/v1", path: "/api/v1/chat/completions" },
    model: "anthropic/claude-sonnet-4.5",
    before: [": OPENROUTER PROCESSING\n\n", ": OPENROUTER PROCESSING\n\n"],
  },
  {
    name: "Gemini, OpenAI-compatible",
    config: { dialect: "gemini" },
    ...{ base: "/v1beta/openai/", path: "/v1beta/openai/chat/completions" },
    model: "gemini-2.5-pro",
    refuses: ["store", "logit_bias"],
    usage: { prompt_tokens: 9, completion_tokens: 5, total_tokens: 214 }, // the rest is thought
    output: 205,
  },
  {
    name: "Mistral",
    ...{ config: { dialect: "mistral" }, base: "/v1", path: "/v1/chat/completions" },
    ...{ model: "mistral-large-latest", limit: "max_tokens" },
    refuses: ["max_completion_tokens", "user", "store", "logprobs"],
  },
  {
    name: "DeepSeek",
    ...{ config: { dialect: "deepseek" }, base: "", path: "/chat/completions" },
    ...{ model: "deepseek-reasoner", limit: "max_tokens" },
    before: [delta({ role: "assistant", content: null, reasoning_content: "hm" })],
    usage: {
      ...{ prompt_tokens: 9, completion_tokens: 5, total_tokens: 14 },
      ...{ prompt_cache_hit_tokens: 4, prompt_cache_miss_tokens: 5 },
    },
  },
  {
    name: "Groq",
    ...{ config: { dialect: "groq" }, base: "/openai/v1", path: "/openai/v1/chat/completions" },
    ...{ model: "openai/gpt-oss-120b", refuses: ["logprobs", "logit_bias"] },
    before: [delta({ role: "assistant", content: "" }, { x_groq: { id: "req_1" } })],
  },
  {
    name: "xAI",
    ...{ config: { dialect: "xai" }, base: "/v1", path: "/v1/chat/completions", model: "grok-4" },
    usage: {
      ...{ prompt_tokens: 9, completion_tokens: 5, total_tokens: 114 },
      completion_tokens_details: { reasoning_tokens: 100 },
    },
    output: 105,
  },
  {
    name: "Together",
    ...{ config: {}, base: "/v1", path: "/v1/chat/completions" },
    model: "meta-llama/Llama-3.3-70B-Instruct-Turbo",
  },
  {
    name: "Azure, v1",
    config: { dialect: "openai", apiKeyHeader: "api-key" },
    ...{ base: "/openai/v1", path: "/openai/v1/chat/completions" },
    ...{ model: "my-deployment", keyHeader: "api-key" },
    before: [
      data({ id: "", object: "", created: 0, model: "", choices: [], prompt_filter_results: [] }),
    ],
  },
  {
    name: "Azure, the older form",
    config: {
      ...{ dialect: "openai", apiKeyHeader: "api-key", query: { "api-version": "2024-10-21" } },
      maxTokensField: "max_completion_tokens",
    },
    base: "/openai/deployments/my-deployment",
    path: "/openai/deployments/my-deployment/chat/completions?api-version=2024-10-21",
    ...{ model: "gpt-5", keyHeader: "api-key", limit: "max_completion_tokens" },
    refuses: ["max_tokens"],
  },
  {
    name: "vLLM",
    ...{ config: {}, base: "/v1", path: "/v1/chat/completions", model: "Qwen/Qwen3-32B" },
    keyHeader: "none",
    usage: {
      prompt_tokens: 9,
      total_tokens: 14,
      completion_tokens: 5,
      prompt_tokens_details: null,
    },
  },
  {
    name: "llama.cpp",
    ...{ config: {}, base: "/v1", path: "/v1/chat/completions", model: "gemma-3-12b" },
    keyHeader: "none",
    before: [delta({ role: "assistant", content: null })],
  },
  {
    name: "LM Studio",
    config: { maxTokensField: "max_tokens" },
    ...{ base: "/v1", path: "/v1/chat/completions", model: "qwen3-8b" },
    ...{ keyHeader: "none", limit: "max_tokens", refuses: ["max_completion_tokens"] },
  },
];

interface Asked {
  readonly path: string;
  readonly headers: Headers;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Refuses what the provider refuses; else answers "yes", as it does. */
function startDouble({ path, model, refuses = [], before = [], usage }: Preset) {
  const seen: Asked[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const { pathname, search } = new URL(request.url);
    const body = await request.json();
    seen.push({ path: pathname + search, headers: request.headers, body });
    if (pathname + search !== path) return new Response("no such path", { status: 404 });
    if (body.model !== model) {
      return Response.json({ error: { message: "no model" } }, { status: 404 });
    }
    const extra = Object.keys(body).find((name) => refuses.includes(name));
    if (extra !== undefined) {
      return Response.json({ detail: `extra inputs are not permitted: ${extra}` }, { status: 422 });
    }
    const counted = usage ?? { prompt_tokens: 9, completion_tokens: 5, total_tokens: 14 };
    const choice = {
      index: 0,
      message: { role: "assistant", content: "yes" },
      finish_reason: "stop",
    };
    if (body.stream !== true) return Response.json({ id: "c", choices: [choice], usage: counted });
    const end = data({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] });
    const events = [
      ...before,
      delta({ content: "yes" }),
      end,
      data({ choices: [], usage: counted }),
    ];
    return new Response(events.join("") + "data: [DONE]\n\n", {
      headers: { "content-type": "text/event-stream; charset=utf-8" },
    });
  });
  return { seen, url: `http://127.0.0.1:${server.addr.port}`, close: () => server.shutdown() };
}

for (const preset of PRESETS) {
  Deno.test(`${preset.name}: chat and messages, streamed and whole, as it takes them`, async () => {
    const double = startDouble(preset);
    const { config, base, keyHeader = "authorization", limit, output = 5 } = preset;
    const key = keyHeader === "none" ? {} : { apiKey: { env: "UP_KEY" } };
    await using proxy = await startProxy({
      providers: { up: { kind: "openai", baseUrl: double.url + base, ...key, ...config } },
      models: { it: `up/${preset.model}` },
      prices: { [`up/${preset.model}`]: { input: 1, output: 1 } },
    }, { secrets: `UP_KEY=${KEY}\n` });
    const messages = [{ role: "user", content: "hi" }];
    for (const stream of [true, false]) {
      for (const field of ["max_tokens", "max_completion_tokens"]) {
        const chat = await proxy.chat({ model: "it", stream, [field]: 77, messages, user: "u" });
        assertStringIncludes(await chat.text(), "yes");
      }
      const ask = { model: "it", stream, max_tokens: 77, messages };
      assertStringIncludes(await (await proxy.post("/v1/messages", ask)).text(), "yes");
    }
    for (const { headers, body } of double.seen) {
      assertEquals(
        headers.get("authorization"),
        keyHeader === "authorization" ? `Bearer ${KEY}` : null,
      );
      assertEquals(headers.get("api-key"), keyHeader === "api-key" ? KEY : null);
      if (limit !== undefined) assertEquals(body[limit], 77);
    }
    assertEquals(double.seen.length, 6);
    const line = JSON.parse(await proxy.logged((one) => one.includes('"event":"request"')));
    assertEquals([line.input, line.output, line.estimated], [9, output, false]);
    await double.close();
  });
}

Deno.test("a model server in another qube: its port comes through a tunnel, streams and all", async () => {
  const preset = PRESETS.find(({ name }) => name === "vLLM");
  assert(preset !== undefined);
  const server = startDouble(preset);
  const port = Number(new URL(server.url).port);
  await using qubes = await tunnelWorld();
  qubes.offer(port, "both");
  const tunnel = await qubes.tunnel(port, "VM");
  await using proxy = await startProxy({
    providers: {
      up: { kind: "openai", baseUrl: `http://127.0.0.1:${tunnel.port}/v1`, models: [preset.model] },
    },
    models: { auto: `up/${preset.model}` },
  });
  for (const stream of [true, false]) {
    for (const path of ["/v1/chat/completions", "/v1/messages"]) {
      const messages = [{ role: "user", content: "hi" }];
      const answer = await proxy.post(path, { model: "auto", stream, max_tokens: 77, messages });
      assertStringIncludes(await answer.text(), "yes");
    }
  }
  assertEquals(server.seen.length, 4);
  assertEquals(await tunnel.stop(), 0);
  await server.close();
});

// SPDX-License-Identifier: GPL-2.0-or-later
/** What a request needs, what models can do, and which of a route is asked first. */

import { assert, assertEquals } from "@std/assert";
import { abilitiesOf } from "../../../../vm/proxy/config/abilities.ts";
import { type Config, targetName } from "../../../../vm/proxy/config/config.ts";
import type { Api } from "../../../../vm/proxy/exchange.ts";
import { fittingFirst, needsOf } from "../../../../vm/proxy/route/needs.ts";
import { parseConfig } from "../../../../vm/proxy/config/parse_config.ts";
import { resolveModel } from "../../../../vm/proxy/route/models.ts";

function configOf(providers: Record<string, Record<string, unknown>>): Config {
  const parsed = parseConfig({
    providers: {
      openai: { kind: "openai" },
      anthropic: { kind: "anthropic" },
      local: { kind: "ollama" },
      ...providers,
    },
  });
  assert("providers" in parsed, JSON.stringify(parsed));
  return parsed;
}

function abilities(name: string, config = configOf({})) {
  const target = resolveModel(name, config)?.[0]?.[0];
  assert(target !== undefined);
  const { can, maxOutputTokens } = abilitiesOf(target);
  return { can: [...can].toSorted().join(" "), maxOutputTokens };
}

const CASES: readonly (readonly [Api, Record<string, unknown>, string])[] = [
  ["chat", { messages: [{ role: "user", content: "hi" }] }, ""],
  ["chat", { messages: [{ content: [{ type: "image_url", image_url: {} }] }] }, "images"],
  ["chat", { messages: [{ content: [{ type: "file", file: {} }] }], tools: [] }, "documents"],
  ["chat", { messages: "no list", tools: [{}], reasoning_effort: "low" }, "thinking tools"],
  ["chat", { messages: [null, 5, { content: [null, "x"] }], reasoning_effort: "none" }, ""],
  [
    "messages",
    { messages: [{ content: [{ type: "document" }, { type: "image" }] }] },
    "documents images",
  ],
  [
    "messages",
    {
      messages: [{ content: [{ type: "tool_result", content: [{ type: "image" }] }] }],
      thinking: { type: "enabled", budget_tokens: 2000 },
    },
    "images thinking",
  ],
  ["messages", { messages: [], thinking: { type: "disabled" } }, ""],
  [
    "responses",
    { input: [{ content: [{ type: "input_file" }] }], reasoning: { effort: "high" } },
    "documents thinking",
  ],
  [
    "responses",
    { input: [{ type: "function_call_output", output: [{ type: "input_image" }] }] },
    "images",
  ],
  ["responses", { input: "hi", reasoning: {} }, ""],
  ["ollama", { messages: [{ content: "hi", images: ["aGk="] }] }, "images"],
];

for (const [api, body, want] of CASES) {
  Deno.test(`${api} ${JSON.stringify(body).slice(0, 90)} needs: ${want}`, () => {
    assertEquals([...needsOf(api, body).abilities].toSorted().join(" "), want);
  });
}

const ALL = "documents images thinking tools";

Deno.test("what is known of models, by their names at whatever provider", () => {
  const rows: Record<string, string> = {
    "openai/gpt-5": ALL,
    "openai/gpt-4o-mini": "documents images tools",
    "openai/gpt-3.5-turbo": "tools",
    "openai/o3-mini": "thinking tools",
    "openai/some-model-of-tomorrow": ALL,
    "openai/meta-llama/Llama-3.1-8B-Instruct": "tools",
    "openai/meta-llama/llama-3.2-11b-vision-instruct": ALL,
    "openai/deepseek-chat": "thinking tools",
    "openai/qwen2.5-vl-72b": ALL,
    "openai/qwen3-coder": "thinking tools",
    "anthropic/claude-sonnet-4-5": ALL,
    "anthropic/claude-3-5-haiku-latest": "documents images tools",
    "local/llama3.2": "tools",
    "local/llava": "images thinking tools",
  };
  for (const [name, want] of Object.entries(rows)) assertEquals(abilities(name).can, want, name);
});

Deno.test("proxy.json has the last word, for a model or for all of a provider", () => {
  const config = configOf({
    local: {
      kind: "ollama",
      abilities: { "*": { can: ["tools"] }, "llava": { can: ["images"], maxOutputTokens: 100 } },
    },
    openai: { kind: "openai", abilities: { "gpt-4o": { maxOutputTokens: 16384 } } },
  });
  assertEquals(abilities("local/gemma3", config), { can: "tools", maxOutputTokens: null });
  assertEquals(abilities("local/llava", config), { can: "images", maxOutputTokens: 100 });
  assertEquals(abilities("openai/gpt-4o", config), {
    ...{ can: "documents images tools", maxOutputTokens: 16384 },
  });
});

Deno.test("the first that has what is needed is asked first; none is ruled out", () => {
  const config = configOf({});
  const parsed = parseConfig({
    providers: {
      openai: { kind: "openai", abilities: { "gpt-4o": { maxOutputTokens: 16384 } } },
      anthropic: { kind: "anthropic" },
      local: { kind: "ollama" },
    },
    models: {
      auto: {
        try: [
          "local/llama3.2",
          ["openai/gpt-4o", "openai/gpt-3.5-turbo"],
          "anthropic/claude-sonnet-4-5",
        ],
      },
    },
  });
  assert("providers" in parsed && config !== parsed);
  const route = resolveModel("auto", parsed) ?? [];
  const order = (body: Record<string, unknown>): string =>
    fittingFirst(route, needsOf("chat", body)).map((rank) => rank.map(targetName).join("|")).join(
      " ",
    );
  assertEquals(
    order({ messages: [] }),
    "local/llama3.2 openai/gpt-4o|openai/gpt-3.5-turbo anthropic/claude-sonnet-4-5",
  );
  const picture = { messages: [{ content: [{ type: "image_url" }] }] };
  assertEquals(
    order(picture),
    "openai/gpt-4o anthropic/claude-sonnet-4-5 local/llama3.2 openai/gpt-3.5-turbo",
  );
  assertEquals(
    order({ ...picture, max_tokens: 60_000 }),
    "anthropic/claude-sonnet-4-5 local/llama3.2 openai/gpt-4o|openai/gpt-3.5-turbo",
  );
});

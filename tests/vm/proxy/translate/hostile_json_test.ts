// SPDX-License-Identifier: GPL-2.0-or-later
/** Requests and answers with parts replaced at random: translated or refused, nothing else. @module */

import { assert, assertEquals } from "@std/assert";
import { createPrng, type Prng } from "../../../fuzz/prng.ts";
import { needsOf } from "../../../../vm/proxy/route/needs.ts";
import { promptTokens } from "../../../../vm/proxy/books/prompt_tokens.ts";
import { readChatRequest } from "../../../../vm/proxy/translate/chat/chat_request_read.ts";
import { writeChatRequest } from "../../../../vm/proxy/translate/chat/chat_request_write.ts";
import {
  readChatResponse,
  writeChatResponse,
} from "../../../../vm/proxy/translate/chat/chat_response.ts";
import type { Conversation } from "../../../../vm/proxy/translate/conversation.ts";
import { DIALECT_NAMES, dialectOf } from "../../../../vm/proxy/translate/fit/dialect.ts";
import { readFault } from "../../../../vm/proxy/translate/fault.ts";
import { fitBody } from "../../../../vm/proxy/translate/fit/fit.ts";
import { isObject } from "../../../../vm/settings/shape.ts";
import { type JsonNode, parseJson } from "../../../../vm/proxy/translate/json_node.ts";
import { readMessagesRequest } from "../../../../vm/proxy/translate/messages/messages_request_read.ts";
import { writeMessagesRequest } from "../../../../vm/proxy/translate/messages/messages_request_write.ts";
import {
  readMessagesResponse,
  writeMessagesResponse,
} from "../../../../vm/proxy/translate/messages/messages_response.ts";
import { NOTHING_MADE } from "../../../../vm/proxy/translate/provenance.ts";
import { readOllamaRequest } from "../../../../vm/proxy/translate/ollama/ollama_request_read.ts";
import { writeOllamaResponse } from "../../../../vm/proxy/translate/ollama/ollama_response.ts";
import { readResponsesRequest } from "../../../../vm/proxy/translate/responses/responses_request_read.ts";
import { writeResponsesResponse } from "../../../../vm/proxy/translate/responses/responses_response.ts";
import { TranslationError } from "../../../../vm/proxy/translate/translation_error.ts";
import { chatMessages } from "./random_conversation.ts";
import { WHO } from "./streams.ts";

const ODD: readonly unknown[] = [
  null,
  true,
  0,
  -1.5,
  "",
  "text",
  "tool",
  "{}",
  [],
  {},
  [null],
  [[]],
  { type: "text" },
  { type: "constructor" },
  { type: "tool_use", id: "a", name: "b", input: {} },
  JSON.parse('{"__proto__":{"type":"text"}}'),
];

/** The same JSON with some of its values replaced, or their keys. */
function mutate(value: unknown, prng: Prng): unknown {
  if (prng.oneIn(25)) return prng.pick(ODD);
  if (Array.isArray(value)) return value.map((inner) => mutate(inner, prng));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).filter(() => !prng.oneIn(40)).map(([key, inner]) => [
      prng.oneIn(60) ? "constructor" : key,
      mutate(inner, prng),
    ]),
  );
}

function writeBoth(from: Conversation): void {
  JSON.stringify(writeChatRequest(from, { maxTokensField: "max_tokens" }));
  JSON.stringify(writeMessagesRequest(from, { defaultMaxTokens: 4096, cachePrompt: true }));
}

const TOOLS = [{ type: "function", function: { name: "f", parameters: { type: "object" } } }];

const chatRequest = (prng: Prng): unknown => ({
  model: "claude-sonnet-4-5",
  messages: chatMessages(prng),
  tools: TOOLS,
  tool_choice: "auto",
  stop: ["a"],
  temperature: 1,
  reasoning_effort: "high",
  response_format: { type: "json_schema", json_schema: { name: "n", schema: {} } },
});

function messagesRequest(prng: Prng): unknown {
  const node = parseJson(JSON.stringify(chatRequest(prng)), "body");
  return writeMessagesRequest(readChatRequest(node), { defaultMaxTokens: 9000, cachePrompt: true })
    .body;
}

const responsesRequest = (prng: Prng): unknown => ({
  model: "gpt",
  instructions: "brief",
  input: [
    { role: "user", content: [{ type: "input_text", text: "a" }] },
    { type: "function_call", call_id: "c", name: "f", arguments: "{}" },
    { type: "function_call_output", call_id: "c", output: "r" },
    { type: "message", role: "user", content: "b" },
  ],
  tools: [{ type: "function", name: "f", parameters: {} }],
  reasoning: { effort: prng.pick(["low", "none"]) },
  text: { format: { type: "json_object" }, verbosity: "low" },
});

const ollamaRequest = (prng: Prng): unknown => ({
  ...{ model: "m", think: prng.pick([true, "low"]), format: "json", tools: TOOLS },
  options: { temperature: 1, stop: ["a"], num_predict: 7, seed: 1, num_ctx: 9 },
  messages: [
    { role: "user", content: "a", images: ["iVBORw0KGgo="] },
    {
      ...{ role: "assistant", content: "", thinking: "hm" },
      tool_calls: [{ function: { name: "f", arguments: { a: 1 } } }],
    },
    { role: "tool", content: "r", tool_name: "f" },
  ],
});

const chatAnswer = (): unknown => ({
  id: "c",
  choices: [{
    message: {
      content: "a",
      tool_calls: [{ id: "c", type: "function", function: { name: "f", arguments: "{}" } }],
    },
    finish_reason: "tool_calls",
  }],
  usage: { prompt_tokens: 1, prompt_tokens_details: { cached_tokens: 1 } },
});

const messagesAnswer = (): unknown => ({
  id: "m",
  content: [
    { type: "thinking", thinking: "a", signature: "b" },
    { type: "text", text: "a" },
    { type: "tool_use", id: "t", name: "f", input: { a: 1 } },
  ],
  stop_reason: "end_turn",
  usage: { input_tokens: 1, output_tokens: 2 },
});

/** Bodies that are passed on: a provider's own words say what is wrong in them. */
function fitAll(api: string, { value }: JsonNode): void {
  if (!isObject(value)) return;
  const before = JSON.stringify(value);
  for (const dialect of DIALECT_NAMES) {
    const speaks = dialectOf({ kind: "openai", baseUrl: "https://up.example", dialect });
    const who = { provider: "up", model: "claude-sonnet-4-5", dialect: speaks };
    JSON.stringify(fitBody(api, value, { ...who, made: NOTHING_MADE, say: () => {} }));
  }
  assertEquals(JSON.stringify(value), before, "the client's own body was changed");
}

const TARGETS: readonly (readonly [
  name: string,
  make: (prng: Prng) => unknown,
  run: (node: JsonNode) => unknown,
])[] = [
  ["chat requests", chatRequest, (node) => writeBoth(readChatRequest(node))],
  ["messages requests", messagesRequest, (node) => writeBoth(readMessagesRequest(node))],
  ["responses requests", responsesRequest, (node) => writeBoth(readResponsesRequest(node))],
  ["ollama requests", ollamaRequest, (node) => writeBoth(readOllamaRequest(node))],
  ["chat bodies", chatRequest, (node) => fitAll("chat", node)],
  ["messages bodies", messagesRequest, (node) => fitAll("messages", node)],
  ["responses bodies", responsesRequest, (node) => fitAll("responses", node)],
  ["what a request needs, and how long it is", chatRequest, ({ value }) => {
    if (!isObject(value)) return;
    promptTokens(value);
    needsOf("chat", value);
  }],
  ["chat answers", chatAnswer, (node) => writeMessagesResponse(readChatResponse(node), WHO)],
  ["messages answers", messagesAnswer, (node) => {
    const completion = readMessagesResponse(node);
    return [writeChatResponse(completion, WHO), writeResponsesResponse(completion, WHO)]
      .concat(writeOllamaResponse(completion, WHO));
  }],
  [
    "errors",
    () => ({ error: { message: "m", type: "t", code: "c" } }),
    ({ value }) => readFault(400, value),
  ],
];

for (const [name, make, run] of TARGETS) {
  Deno.test(`${name} with parts replaced are translated or refused`, () => {
    let translated = 0;
    for (let seed = 1; seed <= 3000; seed++) {
      const prng = createPrng(seed);
      const text = JSON.stringify(mutate(make(prng), prng));
      try {
        run(parseJson(text, "body"));
        translated++;
      } catch (error) {
        if (error instanceof TranslationError) continue;
        throw new Error(`seed ${seed}: ${text}`, { cause: error });
      }
    }
    assert(translated > 100 && translated <= 3000, `${translated} translated`);
  });
}

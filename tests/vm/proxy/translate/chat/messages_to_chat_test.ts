// SPDX-License-Identifier: GPL-2.0-or-later
/** Messages requests as chat completions requests. @module */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { writeChatRequest } from "../../../../../vm/proxy/translate/chat/chat_request_write.ts";
import type { Written } from "../../../../../vm/proxy/translate/conversation.ts";
import { parseJson } from "../../../../../vm/proxy/translate/json_node.ts";
import { readMessagesRequest } from "../../../../../vm/proxy/translate/messages/messages_request_read.ts";
import { TranslationError } from "../../../../../vm/proxy/translate/translation_error.ts";

function translate(body: Record<string, unknown>): Written {
  const full = { model: "gpt", max_tokens: 8192, messages: [], ...body };
  const conversation = readMessagesRequest(parseJson(JSON.stringify(full), "body"));
  return writeChatRequest(conversation, { maxTokensField: "max_completion_tokens" });
}

const PNG = { type: "image", source: { type: "base64", media_type: "image/png", data: "iVBO" } };

Deno.test("messages to chat: as OpenClaw sends it", () => {
  const { body } = translate({
    stream: true,
    system: [
      { type: "text", text: "STABLE", cache_control: { type: "ephemeral" } },
      { type: "text", text: "DYNAMIC" },
    ],
    messages: [
      { role: "user", content: "run" },
      {
        role: "assistant",
        content: [
          { type: "thinking", thinking: "hm", signature: "c2" },
          { type: "text", text: "ok" },
          { type: "tool_use", id: "toolu9", name: "exec", input: { command: "ls" } },
        ],
      },
      {
        role: "user",
        content: [
          { type: "tool_result", tool_use_id: "toolu9", content: "a.txt", is_error: false },
          { type: "text", text: "go on" },
        ],
      },
    ],
    tools: [{ name: "exec", description: "d", input_schema: { type: "object" } }],
    tool_choice: { type: "any", disable_parallel_tool_use: true },
    thinking: { type: "enabled", budget_tokens: 7168 },
    metadata: { user_id: "u" },
    stop_sequences: ["END"],
  });
  assertEquals(body, {
    model: "gpt",
    messages: [
      {
        role: "system",
        content: [{ type: "text", text: "STABLE" }, { type: "text", text: "DYNAMIC" }],
      },
      { role: "user", content: "run" },
      {
        role: "assistant",
        content: "ok",
        tool_calls: [{
          id: "toolu9",
          type: "function",
          function: { name: "exec", arguments: '{"command":"ls"}' },
        }],
      },
      { role: "tool", tool_call_id: "toolu9", content: "a.txt" },
      { role: "user", content: "go on" },
    ],
    tools: [{
      type: "function",
      function: { name: "exec", description: "d", parameters: { type: "object" } },
    }],
    tool_choice: "required",
    parallel_tool_calls: false,
    max_completion_tokens: 8192,
    stop: ["END"],
    reasoning_effort: "medium",
    user: "u",
    stream: true,
    stream_options: { include_usage: true },
  });
});

Deno.test("messages to chat: images of results follow all results", () => {
  const result = (id: string) => ({ type: "tool_result", tool_use_id: id, content: [PNG] });
  const { body, changes } = translate({
    messages: [{ role: "user", content: [result("a"), result("b"), { type: "text", text: "?" }] }],
  });
  const image = { type: "image_url", image_url: { url: "data:image/png;base64,iVBO" } };
  assertEquals(body["messages"], [
    { role: "tool", tool_call_id: "a", content: "(see the next message)" },
    { role: "tool", tool_call_id: "b", content: "(see the next message)" },
    { role: "user", content: [image, image] },
    { role: "user", content: "?" },
  ]);
  assertEquals(changes, ["images, documents of tool results moved to a user message"]);
});

Deno.test("messages to chat: formats, effort, fields that nobody knows", () => {
  const schema = { type: "object" };
  const { body, changes } = translate({
    output_config: { effort: "max", format: { type: "json_schema", schema } },
    thinking: { type: "adaptive" },
    top_k: 5,
    container: "c",
  });
  assertEquals(body["reasoning_effort"], "xhigh");
  assertEquals(body["response_format"], {
    type: "json_schema",
    json_schema: { name: "answer", schema, strict: false },
  });
  assertEquals(changes, ["container left out", "top_k left out"]);
});

Deno.test("messages to chat: ids too long for OpenAI stay with their calls", () => {
  const id = (n: number): string => `ollama_call_${"0".repeat(35)}${n}`;
  const use = (n: number) => ({ type: "tool_use", id: id(n), name: "f", input: {} });
  const result = (n: number) => ({ type: "tool_result", tool_use_id: id(n), content: "r" });
  const { body } = translate({
    messages: [
      { role: "assistant", content: [use(1), use(2)] },
      { role: "user", content: [result(2), result(1)] },
    ],
  });
  const ids = [...JSON.stringify(body).matchAll(/"(?:tool_call_)?id":"(\w+)"/g)].map(([, at]) =>
    at
  );
  assertEquals(ids, ["shortened0", "shortened1", "shortened1", "shortened0"]);
});

/** Field of the request -> where the error says it is. */
const REFUSED: readonly (readonly [body: Record<string, unknown>, path: string])[] = [
  [{ messages: [{ role: "tool", content: "x" }] }, "body.messages[0].role"],
  [{ tool_choice: { type: "some" } }, "body.tool_choice.type"],
  [{ thinking: { type: "enabled" } }, "body.thinking.budget_tokens"],
];

Deno.test("messages to chat: what cannot be translated is named by its path, with the fix", () => {
  for (const [body, path] of REFUSED) {
    const error = assertThrows(() => translate(body), TranslationError);
    assertEquals(error.path, path);
    assert(error.fix !== "", path);
  }
});

/** Field of the request -> what is said of it; the rest of the request goes on. */
const LEFT_OUT: readonly (readonly [body: Record<string, unknown>, said: string])[] = [
  [
    { messages: [{ role: "user", content: [{ type: "container_upload", file_id: "f" }] }] },
    "container_upload left out",
  ],
  [
    { messages: [{ role: "user", content: [{ type: "image", source: { type: "file" } }] }] },
    "image left out",
  ],
  [
    { messages: [{ role: "user", content: [{ type: "document", source: { type: "file" } }] }] },
    "document left out",
  ],
  [
    { messages: [{ role: "assistant", content: [{ type: "server_tool_use" }] }] },
    "server_tool_use left out",
  ],
  [
    { tools: [{ type: "web_search_20250305", name: "web_search" }] },
    "tool web_search_20250305 left out",
  ],
  [{ system: [PNG] }, "image left out"],
];

Deno.test("messages to chat: a kind of content or of tool that nobody knows costs only itself", () => {
  for (const [body, said] of LEFT_OUT) {
    const user = [{ role: "user", content: [{ type: "text", text: "stays" }] }];
    const messages = [...(Array.isArray(body["messages"]) ? body["messages"] : []), ...user];
    const { body: sent, changes } = translate({ ...body, messages });
    assert(changes.includes(said), `${said}: ${changes}`);
    assert(JSON.stringify(sent["messages"]).includes("stays"));
  }
});

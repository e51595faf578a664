// SPDX-License-Identifier: GPL-2.0-or-later
/** Chat completions requests as messages requests. @module */

import { assert, assertEquals } from "@std/assert";
import { readChatRequest } from "../../../../../vm/proxy/translate/chat/chat_request_read.ts";
import { parseJson } from "../../../../../vm/proxy/translate/json_node.ts";
import { claudeMaxOutputTokens } from "../../../../../vm/proxy/translate/thinking.ts";
import { writeMessagesRequest } from "../../../../../vm/proxy/translate/messages/messages_request_write.ts";
import type { Written } from "../../../../../vm/proxy/translate/conversation.ts";

function translate(body: Record<string, unknown>, cachePrompt = false): Written {
  const full = { model: "claude-sonnet-4-5", messages: [{ role: "user", content: "hi" }], ...body };
  const conversation = readChatRequest(parseJson(JSON.stringify(full), "body"));
  return writeMessagesRequest(conversation, { defaultMaxTokens: 4096, cachePrompt });
}

const messagesOf = (messages: unknown[]): unknown => translate({ messages }).body["messages"];
const text = (said: string): unknown => ({ type: "text", text: said });

Deno.test("chat to messages: a tool loop as OpenClaw sends it", () => {
  const { body } = translate({
    messages: [
      { role: "system", content: "be brief" },
      { role: "user", content: "run echo" },
      {
        role: "assistant",
        content: null,
        tool_calls: [{
          id: "call1",
          type: "function",
          function: { name: "exec", arguments: '{"command":"echo hello"}' },
        }],
      },
      { role: "tool", content: "hello", tool_call_id: "call1" },
      { role: "user", content: [{ type: "text", text: "<<<BEGIN" }] },
    ],
    stream: true,
    stream_options: { include_usage: true },
    tools: [{
      type: "function",
      function: { name: "exec", description: "runs", parameters: { type: "object" } },
    }],
    tool_choice: "auto",
    max_completion_tokens: 8192,
  });
  assertEquals(body, {
    model: "claude-sonnet-4-5",
    max_tokens: 8192,
    system: [text("be brief")],
    messages: [
      { role: "user", content: [text("run echo")] },
      {
        role: "assistant",
        content: [{
          type: "tool_use",
          id: "call1",
          name: "exec",
          input: { command: "echo hello" },
        }],
      },
      {
        role: "user",
        content: [
          { type: "tool_result", tool_use_id: "call1", content: [text("hello")] },
          text("<<<BEGIN"),
        ],
      },
    ],
    tools: [{ name: "exec", description: "runs", input_schema: { type: "object" } }],
    tool_choice: { type: "auto" },
    stream: true,
  });
});

Deno.test("chat to messages: roles in turn, no empty text, system at the top, results first", () => {
  const call = (id: string) => ({ id, type: "function", function: { name: "f", arguments: "" } });
  const messages = messagesOf([
    { role: "developer", content: "a" },
    { role: "user", content: "1" },
    { role: "user", content: "" },
    { role: "user", content: "2" },
    { role: "assistant", content: "", tool_calls: [call("a"), call("b")] },
    { role: "tool", content: "A", tool_call_id: "a" },
    { role: "user", content: "between" },
    { role: "tool", content: [], tool_call_id: "b" },
    { role: "system", content: "late" },
  ]);
  const use = (id: string) => ({ type: "tool_use", id, name: "f", input: {} });
  assertEquals(messages, [
    { role: "user", content: [text("1"), text("2")] },
    { role: "assistant", content: [use("a"), use("b")] },
    {
      role: "user",
      content: [
        { type: "tool_result", tool_use_id: "a", content: [text("A")] },
        { type: "tool_result", tool_use_id: "b" },
        text("between"),
      ],
    },
  ]);
  const late = translate({
    messages: [{ role: "user", content: "u" }, { role: "system", content: "s" }],
  });
  assertEquals(late.body["system"], [text("s")]);
  assertEquals(late.changes, ["system messages moved to the top"]);
});

Deno.test("chat to messages: ids used twice or with odd letters stay with their calls", () => {
  const call = (id: string) => ({ id, type: "function", function: { name: "f", arguments: "{}" } });
  const messages = JSON.stringify(messagesOf([
    { role: "user", content: "u" },
    { role: "assistant", tool_calls: [call("call1"), call("call.1")] },
    { role: "tool", content: "1", tool_call_id: "call1" },
    { role: "tool", content: "2", tool_call_id: "call.1" },
    { role: "assistant", tool_calls: [call("call1")] },
    { role: "tool", content: "3", tool_call_id: "call1" },
  ]));
  assertEquals([...messages.matchAll(/"(?:tool_use_)?id":"([^"]*)"/g)].map(([, id]) => id), [
    "call1",
    "call1x2",
    "call1",
    "call1x2",
    "call1x3",
    "call1x3",
  ]);
});

Deno.test("chat to messages: images by data: and by https:", () => {
  const image = (url: string) => ({ type: "image_url", image_url: { url, detail: "low" } });
  assertEquals(
    messagesOf([{
      role: "user",
      content: [image("data:image/png;base64,iVBORw0="), image("https://example.org/a.jpg")],
    }]),
    [{
      role: "user",
      content: [
        {
          type: "image",
          source: { type: "base64", media_type: "image/png", data: "iVBORw0=" },
        },
        { type: "image", source: { type: "url", url: "https://example.org/a.jpg" } },
      ],
    }],
  );
});

Deno.test("chat to messages: choices, formats, stops, the user", () => {
  const tools = [{ type: "function", function: { name: "f" } }];
  const choice = (tool_choice: unknown, more = {}): unknown =>
    translate({ tools, tool_choice, ...more }).body["tool_choice"];
  assertEquals(choice("required"), { type: "any" });
  assertEquals(choice("none"), { type: "none" });
  assertEquals(choice({ type: "function", function: { name: "f" } }), { type: "tool", name: "f" });
  assertEquals(choice(null, { parallel_tool_calls: false }), {
    type: "auto",
    disable_parallel_tool_use: true,
  });
  const schema = { type: "object", properties: {}, additionalProperties: false };
  const { body, changes } = translate({
    response_format: { type: "json_schema", json_schema: { name: "n", schema, strict: true } },
    stop: ["END", "\n"],
    user: "u1",
    tool_choice: "none",
    seed: 7,
    n: 1,
  });
  assertEquals(body["output_config"], { format: { type: "json_schema", schema } });
  assertEquals(body["stop_sequences"], ["END"]);
  assertEquals(body["metadata"], { user_id: "u1" });
  assertEquals(body["tool_choice"], undefined);
  assertEquals(changes, [
    "tool_choice left out: no such tool is there",
    "seed left out",
    "n left out",
    "blank stop sequences left out",
  ]);
});

Deno.test("chat to messages: thinking and sampling as the model takes them", () => {
  const pick = (body: Record<string, unknown>): unknown[] =>
    ["thinking", "output_config", "temperature", "top_p"].map((key) =>
      translate({ max_tokens: 32_000, ...body }).body[key]
    );
  const enabled = (budget_tokens: number) => ({ type: "enabled", budget_tokens });
  assertEquals(pick({ reasoning_effort: "high" }), [
    enabled(16_384),
    undefined,
    undefined,
    undefined,
  ]);
  assertEquals(pick({ reasoning_effort: "high", max_tokens: 8192 })[0], enabled(7168));
  assertEquals(pick({ reasoning_effort: "high", max_tokens: 2000 })[0], undefined);
  assertEquals(pick({ reasoning_effort: "none" })[0], undefined);
  assertEquals(pick({ reasoning_effort: "low", temperature: 0.5 })[2], undefined);
  assertEquals(pick({ reasoning_effort: "high", model: "claude-opus-4-7" }), [
    { type: "adaptive" },
    { effort: "high" },
    undefined,
    undefined,
  ]);
  assertEquals(
    pick({ reasoning_effort: "high", model: "claude-3-5-haiku-20241022" })[0],
    undefined,
  );
  assertEquals(pick({ temperature: 1.5, top_p: 0.9 }), [undefined, undefined, 1, undefined]);
  assertEquals(pick({ top_p: 0.9 })[3], 0.9);
  assertEquals(pick({ temperature: 0.3, model: "claude-sonnet-5" })[2], undefined);
  assertEquals(pick({ temperature: 0.3, model: "claude-sonnet-4-20250514" })[2], 0.3);
});

Deno.test("chat to messages: no thinking behind a tool call that came without it", () => {
  const called = { id: "c", type: "function", function: { name: "f", arguments: "{}" } };
  const loop = [
    { role: "user", content: "u" },
    { role: "assistant", tool_calls: [called] },
    { role: "tool", content: "r", tool_call_id: "c" },
  ];
  const think = (messages: unknown[]): unknown =>
    translate({ messages, reasoning_effort: "high", max_tokens: 32_000 }).body["thinking"];
  assertEquals(think(loop), undefined);
  const next = [...loop, { role: "assistant", content: "a" }, { role: "user", content: "v" }];
  assert(think(next) !== undefined);
});

Deno.test("chat to messages: marks for the cache, unless the client set its own", () => {
  const marks = (body: Record<string, unknown>): number =>
    JSON.stringify(translate(body, true).body).split('"cache_control"').length - 1;
  const system = { role: "system", content: "s" };
  const user = { role: "user", content: "u" };
  assertEquals(marks({ messages: [system, user] }), 2);
  const own = { type: "text", text: "s", cache_control: { type: "ephemeral" } };
  assertEquals(marks({ messages: [{ role: "system", content: [own] }, user] }), 1);
});

Deno.test("chat to messages: max_tokens is the model's own, and never more", () => {
  const OWN: readonly (readonly [model: string, tokens: number])[] = [
    ["claude-3-haiku-20240307", 4096],
    ["claude-3-5-sonnet-20241022", 8192],
    ["claude-3-7-sonnet-20250219", 64_000],
    ["claude-sonnet-4-20250514", 64_000],
    ["claude-opus-4-1-20250805", 32_000],
    ["claude-sonnet-4-5", 64_000],
    ["claude-haiku-4-5-20251001", 64_000],
    ["claude-opus-4-5", 64_000],
    ["claude-opus-4-6", 128_000],
    ["claude-of-another-family", 64_000],
  ];
  for (const [model, tokens] of OWN) {
    assertEquals([model, claudeMaxOutputTokens(model)], [model, tokens]);
  }
  const request = { model: "m", messages: [{ role: "user", content: "u" }], max_tokens: 200_000 };
  const sent = writeMessagesRequest(readChatRequest({ value: request, path: "body" }), {
    ...{ defaultMaxTokens: 64_000, maxTokens: 64_000, cachePrompt: false },
  });
  assertEquals(sent.body["max_tokens"], 64_000);
  assertEquals(sent.changes, ["max_tokens lowered to the model's own"]);
});

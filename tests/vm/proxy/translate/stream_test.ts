// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Streams in the providers' own words. Shapes: platform.claude.com/docs, "Streaming messages";
 * platform.openai.com/docs/api-reference/chat/streaming.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { createChatStreamReader } from "../../../../vm/proxy/translate/chat/chat_stream_reader.ts";
import { createChatStreamWriter } from "../../../../vm/proxy/translate/chat/chat_stream_writer.ts";
import { NO_USAGE } from "../../../../vm/proxy/translate/completion.ts";
import { createMessagesStreamReader } from "../../../../vm/proxy/translate/messages/messages_stream_reader.ts";
import { createMessagesStreamWriter } from "../../../../vm/proxy/translate/messages/messages_stream_writer.ts";
import { content, dataOf, readText, splitWhole, WHO, writeAll } from "./streams.ts";

const named = (events: readonly Record<string, unknown>[]): string =>
  events.map((event) => `event: ${event["type"]}\ndata: ${JSON.stringify(event)}\n\n`).join("");

const chunks = (...events: readonly unknown[]): string =>
  events.map((event) => `data: ${event === "[DONE]" ? event : JSON.stringify(event)}\n\n`).join("");

const choice = (delta: unknown, finish_reason: string | null = null): unknown => ({
  id: "chatcmpl-1",
  object: "chat.completion.chunk",
  created: 1,
  model: "gpt",
  choices: [{ index: 0, delta, finish_reason }],
});

const CLAUDE_TOOL_STREAM = named([
  {
    type: "message_start",
    message: {
      id: "msg_1",
      type: "message",
      role: "assistant",
      model: "claude",
      content: [],
      usage: { input_tokens: 10, cache_read_input_tokens: 30, output_tokens: 2 },
    },
  },
  { type: "content_block_start", index: 0, content_block: { type: "thinking", thinking: "" } },
  { type: "content_block_delta", index: 0, delta: { type: "thinking_delta", thinking: "hm" } },
  { type: "content_block_delta", index: 0, delta: { type: "signature_delta", signature: "c2" } },
  { type: "content_block_stop", index: 0 },
  { type: "content_block_start", index: 1, content_block: { type: "text", text: "" } },
  { type: "ping" },
  { type: "content_block_delta", index: 1, delta: { type: "text_delta", text: "Okay" } },
  { type: "content_block_stop", index: 1 },
  {
    type: "content_block_start",
    index: 2,
    content_block: { type: "tool_use", id: "toolu_01T", name: "get_weather", input: {} },
  },
  { type: "content_block_delta", index: 2, delta: { type: "input_json_delta", partial_json: "" } },
  {
    type: "content_block_delta",
    index: 2,
    delta: { type: "input_json_delta", partial_json: '{"location":' },
  },
  {
    type: "content_block_delta",
    index: 2,
    delta: { type: "input_json_delta", partial_json: ' "Paris"}' },
  },
  { type: "content_block_stop", index: 2 },
  {
    type: "content_block_start",
    index: 3,
    content_block: { type: "tool_use", id: "toolu_02", name: "now", input: {} },
  },
  { type: "content_block_stop", index: 3 },
  {
    type: "message_delta",
    delta: { stop_reason: "tool_use", stop_sequence: null },
    usage: { output_tokens: 89 },
  },
  { type: "message_stop" },
]);

Deno.test("messages stream to chat: thinking, text, two calls, usage, [DONE]", () => {
  const events = readText(createMessagesStreamReader(), CLAUDE_TOOL_STREAM);
  const writer = createChatStreamWriter(WHO, { includeUsage: true });
  const data = dataOf(writeAll(writer, content(events)));
  const deltas = data.flatMap((chunk) => chunk === "[DONE]" ? [] : pick(chunk));
  assertEquals(deltas, [
    [{ role: "assistant", content: "" }, null],
    [{ reasoning_content: "hm" }, null],
    [{ content: "Okay" }, null],
    [call(0, "toolu01T", "get_weather"), null],
    [fragment(0, '{"location":'), null],
    [fragment(0, ' "Paris"}'), null],
    [call(1, "toolu02", "now"), null],
    [fragment(1, "{}"), null],
    [{}, "tool_calls"],
  ]);
  assertEquals(data.at(-1), "[DONE]");
  const last = JSON.stringify(data.at(-2));
  assert(last.includes('"choices":[]'), last);
  assert(last.includes('"prompt_tokens":40,"completion_tokens":89,"total_tokens":129'), last);
  assert(last.includes('"cached_tokens":30'), last);
});

function pick(chunk: unknown): unknown[] {
  const { choices } = chunk as { choices: { delta: unknown; finish_reason: unknown }[] };
  return choices.map(({ delta, finish_reason }) => [delta, finish_reason]);
}

const call = (index: number, id: string, name: string): unknown => ({
  tool_calls: [{ index, id, type: "function", function: { name, arguments: "" } }],
});
const fragment = (index: number, text: string): unknown => ({
  tool_calls: [{ index, function: { arguments: text } }],
});

Deno.test("chat stream to messages: calls that are mixed come one after the other", () => {
  const text = chunks(
    choice({ role: "assistant", content: "" }),
    choice({ content: "Okay" }),
    choice(call(0, "a", "f")),
    choice(fragment(0, '{"x"')),
    choice(call(1, "b", "g")),
    choice(fragment(1, '{"y"')),
    choice(fragment(0, ":1}")),
    choice(fragment(1, ":2}")),
    choice({ content: "late" }),
    choice({}, "tool_calls"),
    { choices: [], usage: { prompt_tokens: 7, completion_tokens: 5 } },
    "[DONE]",
  );
  const out = writeAll(
    createMessagesStreamWriter(WHO),
    content(readText(createChatStreamReader(), text)),
  );
  for (const { event, data } of splitWhole(out)) {
    assertEquals(event, JSON.parse(data ?? "").type); // newer SDKs skip what has no name
  }
  const seen = dataOf(out).map((event) => {
    const { type, index, content_block, delta } = event as Record<string, Record<string, unknown>>;
    const what = delta?.["text"] ?? delta?.["partial_json"] ?? content_block?.["type"] ??
      delta?.["stop_reason"];
    return [type, index, what].filter((part) => part !== undefined).join(" ");
  });
  assertEquals(seen, [
    "message_start",
    "content_block_start 0 text",
    "content_block_delta 0 Okay",
    "content_block_stop 0",
    "content_block_start 1 tool_use",
    'content_block_delta 1 {"x"',
    "content_block_delta 1 :1}",
    "content_block_stop 1",
    "content_block_start 2 tool_use",
    'content_block_delta 2 {"y"',
    "content_block_delta 2 :2}",
    "content_block_stop 2",
    "content_block_start 3 text",
    "content_block_delta 3 late",
    "content_block_stop 3",
    "message_delta tool_use",
    "message_stop",
  ]);
});

Deno.test("chat streams: the shapes of servers that are not OpenAI", () => {
  const kinds = (...events: readonly unknown[]): string =>
    content(readText(createChatStreamReader(), chunks(...events))).map((event) =>
      event.kind === "tool"
        ? `tool${event.index} ${event.id}`
        : event.kind === "stop"
        ? event.reason
        : event.kind
    ).join(", ");
  const whole = (id: string, index?: number): unknown =>
    choice({ tool_calls: [{ index, id, function: { name: "f", arguments: "{}" } }] });
  const two = "start, tool0 a, arguments, tool1 b, arguments, tool_use, end";
  assertEquals(kinds(whole("a"), whole("b"), choice({}, "stop")), two, "no index, no [DONE]");
  assertEquals(kinds(whole("a", 0), whole("b", 0), "[DONE]"), two, "Ollama: index 0 for all");
  assertEquals(kinds(choice({ content: "a" }), "[DONE]"), "start, text, end, end");
  assertEquals(kinds(choice({ content: "a" })), "start, text, error", "cut off");
  assertEquals(kinds(), "error", "nothing at all");
  const second = { choices: [{ index: 1, delta: { content: "b" }, finish_reason: "stop" }] };
  assertEquals(
    kinds(second, choice({ content: "a" })),
    "start, text, error",
    "only the first counts",
  );
  const object = choice({
    tool_calls: [{ index: 0, id: "a", function: { name: "f", arguments: { x: 1 } } }],
  });
  assertEquals(kinds(object, "[DONE]"), "start, tool0 a, arguments, tool_use, end");
  assertEquals(kinds({ error: { message: "no" } }, choice({ content: "a" })), "error");
  assertEquals(kinds(choice({ content: 5 }), "[DONE]"), "error");
});

Deno.test("a failure in the middle is told in the client's format, with nothing behind it", () => {
  const error = { type: "error", error: { type: "overloaded_error", message: "Overloaded" } };
  const events = content(
    readText(
      createMessagesStreamReader(),
      CLAUDE_TOOL_STREAM.split("event: message_delta")[0] + named([error]),
    ),
  );
  assertEquals(events.at(-1)?.kind, "error");
  const chat = createChatStreamWriter(WHO, { includeUsage: true });
  const last = dataOf(writeAll(chat, events)).at(-1);
  const message = 'the provider says "Overloaded"';
  assertEquals(last, {
    error: { message, type: "server_error", param: null, code: "overloaded" },
  });
  assertEquals([chat.write({ kind: "end" }), chat.heartbeat()], ["", ""]);
  const messages = createMessagesStreamWriter(WHO);
  const sent = splitWhole(writeAll(messages, events)).at(-1);
  assertEquals([sent?.event, JSON.parse(sent?.data ?? "").error], [
    "error",
    { type: "overloaded_error", message },
  ]);
  assertEquals([messages.write({ kind: "end" }), messages.heartbeat()], ["", ""]);
});

Deno.test("heartbeats: an empty delta in chat, at once if nothing was sent; none after the stop", () => {
  const chat = createChatStreamWriter(WHO, { includeUsage: false });
  assertEquals(dataOf(chat.heartbeat()).map(pick), [[[{ role: "assistant", content: "" }, null]]]);
  assertEquals(chat.write({ kind: "start", id: "", model: "" }), "");
  assertEquals(dataOf(chat.heartbeat()).map(pick), [[[{ content: "" }, null]]]);
  chat.write({ kind: "stop", reason: "end" });
  assertEquals(chat.heartbeat(), "");
  const end = writeAll(chat, [{ kind: "usage", usage: NO_USAGE }, { kind: "end" }]);
  assertEquals(end, "data: [DONE]\n\n", "no usage that nobody asked for");
  const messages = createMessagesStreamWriter(WHO);
  assert(messages.heartbeat().startsWith("event: message_start\n"));
  assertEquals(messages.heartbeat(), 'event: ping\ndata: {"type":"ping"}\n\n');
  messages.write({ kind: "text", text: "a" });
  assert(messages.heartbeat().includes('"text_delta","text":""'));
});

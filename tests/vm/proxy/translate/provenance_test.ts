// SPDX-License-Identifier: GPL-2.0-or-later
/** Reasoning through clients of other APIs, and back to whom it belongs. @module */

import { assert, assertEquals } from "@std/assert";
import { writeChatRequest } from "../../../../vm/proxy/translate/chat/chat_request_write.ts";
import { readChatResponse } from "../../../../vm/proxy/translate/chat/chat_response.ts";
import { createChatStreamReader } from "../../../../vm/proxy/translate/chat/chat_stream_reader.ts";
import { completionEvents, createCollector } from "../../../../vm/proxy/translate/collect.ts";
import type { Completion, StreamEvent } from "../../../../vm/proxy/translate/completion.ts";
import type { Conversation } from "../../../../vm/proxy/translate/conversation.ts";
import { readMessagesRequest } from "../../../../vm/proxy/translate/messages/messages_request_read.ts";
import { writeMessagesRequest } from "../../../../vm/proxy/translate/messages/messages_request_write.ts";
import {
  readMessagesResponse,
  writeMessagesResponse,
} from "../../../../vm/proxy/translate/messages/messages_response.ts";
import { createMessagesStreamReader } from "../../../../vm/proxy/translate/messages/messages_stream_reader.ts";
import { createMessagesStreamWriter } from "../../../../vm/proxy/translate/messages/messages_stream_writer.ts";
import {
  isOwnPart,
  NOTHING_MADE,
  seal,
  unseal,
} from "../../../../vm/proxy/translate/provenance.ts";
import { readResponsesRequest } from "../../../../vm/proxy/translate/responses/responses_request_read.ts";
import { writeResponsesResponse } from "../../../../vm/proxy/translate/responses/responses_response.ts";
import { createResponsesStreamWriter } from "../../../../vm/proxy/translate/responses/responses_stream_writer.ts";
import { dataOf, readText, WHO, writeAll } from "./streams.ts";

const call = (extra?: Record<string, unknown>) => ({
  ...{ kind: "tool_call" as const, id: "call1", name: "exec", arguments: '{"a":1}' },
  ...(extra === undefined ? {} : { extra: { maker: "", fields: extra } }),
});

const answer = (parts: Completion["parts"]): Completion => ({
  ...{ id: "", model: "", parts, stop: "tool_use" },
  usage: {
    ...{ inputTokens: 1, cachedTokens: 0, cacheWriteTokens: 0 },
    ...{ outputTokens: 1, reasoningTokens: 0 },
  },
});

const SIGNED = answer([
  { kind: "thinking", text: "hm", signature: "c2lnbmVk" },
  { kind: "redacted", data: "cmVkYWN0ZWQ=" },
  call(),
]);

/** What a client of the responses API sends after this answer, whole or streamed. */
function afterResponses(completion: Completion, streamed: boolean): Conversation {
  const text = writeAll(createResponsesStreamWriter(WHO), completionEvents(completion));
  const last = dataOf(text).at(-1) as { response: { output: unknown[] } };
  const output = streamed
    ? last.response.output
    : writeResponsesResponse(completion, WHO)["output"] as unknown[];
  const result = { type: "function_call_output", call_id: "call1", output: "r" };
  const input = [{ role: "user", content: "u" }, ...output, result];
  return readResponsesRequest({ value: { model: "claude-sonnet-4-5", input }, path: "body" });
}

/** The same of a client of the messages API. */
function afterMessages(completion: Completion, streamed: boolean): Conversation {
  const collector = createCollector();
  const text = writeAll(createMessagesStreamWriter(WHO), completionEvents(completion));
  for (const event of readText(createMessagesStreamReader(), text)) collector.push(event);
  const { content } = writeMessagesResponse(completion, WHO);
  const { completion: again } = collector.result();
  const blocks = (again?.parts ?? []).map((part) =>
    part.kind === "thinking"
      ? { type: "thinking", thinking: part.text, signature: part.signature }
      : part.kind === "redacted"
      ? { type: "redacted_thinking", data: part.data }
      : part.kind === "tool_call"
      ? { type: "tool_use", id: part.id, name: part.name, input: JSON.parse(part.arguments) }
      : { type: "text", text: part.text }
  );
  const messages = [
    { role: "user", content: "u" },
    { role: "assistant", content: streamed ? blocks : content },
    { role: "user", content: [{ type: "tool_result", tool_use_id: "call1", content: "r" }] },
  ];
  return readMessagesRequest({ value: { model: "m", messages }, path: "body" });
}

const takesBack = (provider: string) => (part: Parameters<typeof isOwnPart>[0]) =>
  isOwnPart(part, provider, NOTHING_MADE);

for (const streamed of [false, true]) {
  const how = streamed ? "streamed" : "whole";
  Deno.test(`signed thinking comes back to its maker through the responses API, ${how}`, () => {
    const conversation = { ...afterResponses(SIGNED, streamed), thinking: { kind: "adaptive" } };
    const sent = (provider: string) =>
      writeMessagesRequest(conversation as Conversation, {
        ...{ defaultMaxTokens: 8000, cachePrompt: false, takesBack: takesBack(provider) },
      }).body;
    assertEquals((sent("up")["messages"] as { content: unknown }[])[1]?.content, [
      { type: "thinking", thinking: "hm", signature: "c2lnbmVk" },
      { type: "redacted_thinking", data: "cmVkYWN0ZWQ=" },
      { type: "tool_use", id: "call1", name: "exec", input: { a: 1 } },
    ]);
    const other = JSON.stringify(sent("other"));
    assert(!other.includes("hm") && !other.includes("cmVkYWN0ZWQ"), other);
  });

  Deno.test(`reasoning_content comes back to its maker through the messages API, ${how}`, () => {
    const thought = answer([{ kind: "thinking", text: "hm", signature: "" }, call()]);
    const sent = (provider: string) =>
      JSON.stringify(
        writeChatRequest(afterMessages(thought, streamed), {
          ...{ maxTokensField: "max_tokens", takesBack: takesBack(provider) },
        }).body,
      );
    assert(sent("up").includes('"reasoning_content":"hm"'), sent("up"));
    assert(!sent("other").includes("hm"));
  });

  Deno.test(`Gemini's thought_signature comes back to it, and to nobody else, ${how}`, () => {
    const extra = { google: { thought_signature: "c2ln" } };
    for (const after of [afterMessages, afterResponses]) {
      const conversation = after(answer([call(extra)]), streamed);
      const sent = (provider: string) =>
        JSON.stringify(
          writeChatRequest(conversation, { maxTokensField: "max_tokens", provider }).body,
        );
      assert(sent("up").includes('"extra_content":{"google":{"thought_signature":"c2ln"}}'));
      assert(!sent("other").includes("c2ln"));
    }
  });
}

Deno.test("a seal says who made it; one that is cut off or made up is nobody's", () => {
  const sealed = seal("grüße", 'a "quoted" \u2028 text');
  assertEquals(unseal(sealed), { maker: "grüße", payload: 'a "quoted" \u2028 text' });
  assert(/^[\w.-]+$/.test(sealed), sealed);
  assertEquals(unseal("EqQBCgIYAhIM1g="), undefined);
  for (const broken of [sealed.slice(0, -5), "openclaw-proxy.1.!!", "openclaw-proxy.1.e30"]) {
    assertEquals(unseal(broken), { maker: "", payload: "" });
  }
});

const chatAnswer = (message: unknown, finish_reason = "stop") => ({
  path: "answer",
  value: { choices: [{ message, finish_reason }] },
});

const LIST = [
  { type: "thinking", thinking: [{ type: "text", text: "I think" }] },
  { type: "text", text: "Hello" },
];

Deno.test("Mistral's content lists: thoughts and words, whole and streamed", () => {
  assertEquals(readChatResponse(chatAnswer({ content: LIST })).parts, [
    { kind: "thinking", text: "I think", signature: "" },
    { kind: "text", text: "Hello" },
  ]);
  const chunk = (content: unknown) =>
    `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`;
  const text = LIST.map((part) => chunk([part])).join("") + "data: [DONE]\n\n";
  assertEquals(readText(createChatStreamReader(), text).slice(1, 3), [
    { kind: "thinking", text: "I think" },
    { kind: "text", text: "Hello" },
  ]);
});

Deno.test('finish_reason "error" is an error, whole and streamed', () => {
  let failed = "";
  try {
    readChatResponse(chatAnswer({ content: "ha" }, "error"));
  } catch (error) {
    failed = String(error);
  }
  assert(failed.includes("finish_reason"), failed);
  const choice = { index: 0, delta: {}, finish_reason: "error", error: { message: "Overloaded" } };
  const text = `data: ${JSON.stringify({ choices: [choice] })}\n\ndata: [DONE]\n\n`;
  const events: StreamEvent[] = readText(createChatStreamReader(), text);
  assertEquals(events.map(({ kind }) => kind), ["start", "error"]);
  assert(JSON.stringify(events).includes("Overloaded"));
});

Deno.test("a message with thinking of Anthropic's own is read as it was signed", () => {
  const block = { type: "thinking", thinking: "hm", signature: "c2lnbmVk" };
  const read = readMessagesResponse({ path: "answer", value: { content: [block] } });
  assertEquals(read.parts, [{ kind: "thinking", text: "hm", signature: "c2lnbmVk" }]);
});

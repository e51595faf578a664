// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Random conversations through both formats and back: what a model is told stays the same, and
 * so do streams, however they are cut.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { createPrng, type Prng } from "../../../fuzz/prng.ts";
import { readChatRequest } from "../../../../vm/proxy/translate/chat/chat_request_read.ts";
import { writeChatRequest } from "../../../../vm/proxy/translate/chat/chat_request_write.ts";
import { createChatStreamReader } from "../../../../vm/proxy/translate/chat/chat_stream_reader.ts";
import { createChatStreamWriter } from "../../../../vm/proxy/translate/chat/chat_stream_writer.ts";
import { completionEvents, createCollector } from "../../../../vm/proxy/translate/collect.ts";
import type { Completion, StreamEvent } from "../../../../vm/proxy/translate/completion.ts";
import { parseJson } from "../../../../vm/proxy/translate/json_node.ts";
import { readMessagesRequest } from "../../../../vm/proxy/translate/messages/messages_request_read.ts";
import { writeMessagesRequest } from "../../../../vm/proxy/translate/messages/messages_request_write.ts";
import { createMessagesStreamReader } from "../../../../vm/proxy/translate/messages/messages_stream_reader.ts";
import { createMessagesStreamWriter } from "../../../../vm/proxy/translate/messages/messages_stream_writer.ts";
import type { AssistantPart } from "../../../../vm/proxy/translate/conversation.ts";
import { seal } from "../../../../vm/proxy/translate/provenance.ts";
import { readResponsesRequest } from "../../../../vm/proxy/translate/responses/responses_request_read.ts";
import { chatMessages, randomCompletion } from "./random_conversation.ts";
import { bytesOf, content, inPieces, readPieces, WHO, writeAll } from "./streams.ts";

function thereAndBack(messages: unknown[]): unknown {
  const chat = JSON.stringify({ model: "claude-sonnet-4-5", messages });
  const there = writeMessagesRequest(readChatRequest(parseJson(chat, "body")), {
    defaultMaxTokens: 1024,
    cachePrompt: false,
  });
  const wire = JSON.stringify(there.body);
  const back = writeChatRequest(readMessagesRequest(parseJson(wire, "body")), {
    maxTokensField: "max_tokens",
  });
  assertEquals(back.body["max_tokens"], 1024);
  return back.body["messages"];
}

Deno.test("chat to messages and back keeps roles, texts, calls, their order, ids and images", () => {
  let calls = 0;
  for (let seed = 1; seed <= 1500; seed++) {
    const messages = chatMessages(createPrng(seed));
    calls += messages.filter(({ role }) => role === "tool").length;
    assertEquals(thereAndBack(messages), messages, `seed ${seed}`);
  }
  assert(calls > 1000, `only ${calls} calls`);
});

/** The same conversations in Anthropic's spelling, through chat completions and back. */
function backAndThere(messages: unknown[]): [there: unknown, back: unknown] {
  const options = { defaultMaxTokens: 1024, cachePrompt: false };
  const chat = { model: "claude-sonnet-4-5", messages };
  const there = writeMessagesRequest(readChatRequest({ value: chat, path: "body" }), options).body;
  const wire = JSON.stringify(there);
  const middle = writeChatRequest(readMessagesRequest(parseJson(wire, "body")), {
    maxTokensField: "max_tokens",
  });
  const chatWire = JSON.stringify(middle.body);
  const back = writeMessagesRequest(readChatRequest(parseJson(chatWire, "body")), options).body;
  return [JSON.parse(wire), JSON.parse(JSON.stringify(back))];
}

Deno.test("messages to chat and back keeps roles, texts, calls, their order, ids and images", () => {
  const seen = { tool_use: 0, tool_result: 0, image: 0 };
  for (let seed = 1; seed <= 1500; seed++) {
    const [there, back] = backAndThere(chatMessages(createPrng(seed)));
    assertEquals(back, there, `seed ${seed}`);
    const text = JSON.stringify(there);
    for (const kind of ["tool_use", "tool_result", "image"] as const) {
      seen[kind] += text.split(`"type":"${kind}"`).length - 1;
    }
  }
  for (const [kind, count] of Object.entries(seen)) assert(count > 1000, `only ${count} ${kind}`);
});

/** Chat messages as the items of a responses request. */
function asItems(messages: ReturnType<typeof chatMessages>): unknown[] {
  return messages.flatMap(({ role, content, tool_calls, tool_call_id }): unknown[] => {
    if (role === "tool") {
      return [{ type: "function_call_output", call_id: tool_call_id, output: content }];
    }
    const calls = (tool_calls ?? []) as { id: string; function: Record<string, unknown> }[];
    const said = content === null ? [] : [{ type: "message", role, content: itemContent(content) }];
    return [
      ...said,
      ...calls.map((call) => ({ type: "function_call", call_id: call.id, ...call.function })),
    ];
  });
}

function itemContent(content: unknown): unknown {
  if (!Array.isArray(content)) return content;
  return content.map((part) =>
    part.type === "text"
      ? { type: "input_text", text: part.text }
      : { type: "input_image", image_url: part.image_url.url }
  );
}

Deno.test("responses to chat and to messages: the same as if it had been asked in chat", () => {
  for (let seed = 1; seed <= 500; seed++) {
    const messages = chatMessages(createPrng(seed));
    const model = "claude-sonnet-4-5";
    const asked = { value: { model, input: asItems(messages) }, path: "body" };
    const read = readResponsesRequest(asked);
    const chat = writeChatRequest(read, { maxTokensField: "max_tokens" });
    assertEquals(chat.body["messages"], messages, `seed ${seed}`);
    const options = { defaultMaxTokens: 1024, cachePrompt: false };
    const direct = readChatRequest({ value: { model, messages }, path: "body" });
    assertEquals(
      writeMessagesRequest(read, options).body["messages"],
      writeMessagesRequest(direct, options).body["messages"],
      `seed ${seed}`,
    );
  }
});

type Format = "chat" | "messages";

const write = (format: Format, events: readonly StreamEvent[]): string =>
  writeAll(
    format === "chat"
      ? createChatStreamWriter(WHO, { includeUsage: true })
      : createMessagesStreamWriter(WHO),
    events,
  );

const read = (format: Format, pieces: readonly Uint8Array[]): StreamEvent[] =>
  readPieces(format === "chat" ? createChatStreamReader() : createMessagesStreamReader(), pieces);

function collect(events: readonly StreamEvent[]): Completion {
  const collector = createCollector();
  for (const event of events) collector.push(event);
  const { completion, fault } = collector.result();
  if (completion === undefined) throw new Error(fault.message);
  return completion;
}

/** Texts in random pieces, as models send them. */
function inDeltas(events: readonly StreamEvent[], prng: Prng): StreamEvent[] {
  return events.flatMap((event): StreamEvent[] => {
    const text = event.kind === "text"
      ? event.text
      : event.kind === "arguments"
      ? event.fragment
      : "";
    if (text.length < 2) return [event];
    const cut = 1 + prng.below(text.length - 1);
    const [head, tail] = [text.slice(0, cut), text.slice(cut)];
    return event.kind === "text"
      ? [{ kind: "text", text: head }, { kind: "heartbeat" }, { kind: "text", text: tail }]
      : event.kind === "arguments"
      ? [{ ...event, fragment: head }, { ...event, fragment: tail }]
      : [event];
  });
}

/** What the proxy writes of somebody's thinking says whose it is. */
const asSealed = (part: AssistantPart): AssistantPart =>
  part.kind === "thinking" ? { ...part, signature: seal(WHO.maker, part.signature) } : part;

for (const format of ["chat", "messages"] as const) {
  Deno.test(`${format} streams: what is written is read again, in random pieces`, () => {
    for (let seed = 1; seed <= 400; seed++) {
      const prng = createPrng(seed);
      const want = randomCompletion(prng, format);
      const text = write(format, inDeltas(completionEvents(want), prng));
      const whole = read(format, [bytesOf(text)]);
      const sealed = { ...want, id: WHO.id, model: WHO.model, parts: want.parts.map(asSealed) };
      assertEquals(collect(whole), format === "chat" ? { ...sealed, parts: want.parts } : sealed);
      const pieces = inPieces(bytesOf(text), prng, 1 + prng.below(300));
      assertEquals(read(format, pieces), whole, `seed ${seed}`);
    }
  });

  Deno.test(`${format} streams: cut in two at every byte they read the same`, () => {
    const wire = bytesOf(write(format, completionEvents(randomCompletion(createPrng(5), format))));
    const whole = read(format, [wire]);
    assertEquals(whole.at(-1)?.kind, "end");
    for (let cut = 0; cut <= wire.length; cut++) {
      assertEquals(read(format, [wire.slice(0, cut), wire.slice(cut)]), whole, `cut at ${cut}`);
    }
  });

  Deno.test(`${format} streams: one that stops anywhere before its reason to stop is a failure`, () => {
    const text = write(format, completionEvents(randomCompletion(createPrng(7), format)));
    const reason = text.indexOf(format === "chat" ? '"finish_reason":"' : '"stop_reason":"');
    const wire = bytesOf(text);
    assert(reason > 100);
    for (let cut = 0; cut < reason; cut++) {
      assertEquals(read(format, [wire.slice(0, cut)]).at(-1)?.kind, "error", `cut at ${cut}`);
    }
    assertEquals(read(format, [wire.slice(0, -1)]).at(-1)?.kind, "end");
  });

  Deno.test(`${format} streams: noise never throws, and gives at most one end`, () => {
    for (let seed = 1; seed <= 300; seed++) {
      const prng = createPrng(seed);
      const wire = bytesOf(write(format, completionEvents(randomCompletion(prng, format))));
      for (let n = 1 + prng.below(4); n > 0; n--) wire[prng.below(wire.length)] = prng.below(256);
      const kinds = content(read(format, [wire])).map(({ kind }) => kind);
      const ends = kinds.filter((kind) => kind === "end" || kind === "error");
      assertEquals(ends.length, 1, `seed ${seed}`);
      assertEquals(kinds.at(-1), ends[0], `seed ${seed}`);
    }
  });
}

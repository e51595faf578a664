// SPDX-License-Identifier: GPL-2.0-or-later
/** Whole answers and errors, in the providers' documented shapes. @module */

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  readChatResponse,
  writeChatResponse,
} from "../../../../vm/proxy/translate/chat/chat_response.ts";
import {
  fault,
  mayRetry,
  readAnthropicFault,
  readOpenAiFault,
  shownToClient,
  writeAnthropicFault,
  writeOpenAiFault,
} from "../../../../vm/proxy/translate/fault.ts";
import { parseJson } from "../../../../vm/proxy/translate/json_node.ts";
import {
  readMessagesResponse,
  writeMessagesResponse,
} from "../../../../vm/proxy/translate/messages/messages_response.ts";
import { TranslationError } from "../../../../vm/proxy/translate/translation_error.ts";
import { WHO } from "./streams.ts";

const node = (value: unknown) => parseJson(JSON.stringify(value), "answer");

/** platform.claude.com/docs/en/api/messages/create, with a tool call and a cached prefix. */
const MESSAGE = {
  id: "msg_013",
  type: "message",
  role: "assistant",
  model: "claude-sonnet-4-5",
  content: [
    { type: "text", text: "I'll look" },
    { type: "tool_use", id: "toolu_9", name: "exec", input: { command: "ls" } },
  ],
  stop_reason: "tool_use",
  stop_sequence: null,
  usage: {
    input_tokens: 5,
    cache_creation_input_tokens: 20,
    cache_read_input_tokens: 100,
    output_tokens: 503,
  },
};

Deno.test("a message as a chat completion", () => {
  assertEquals(writeChatResponse(readMessagesResponse(node(MESSAGE)), WHO), {
    id: "id1",
    object: "chat.completion",
    created: 1_700_000_000,
    model: "auto",
    choices: [{
      index: 0,
      message: {
        role: "assistant",
        content: "I'll look",
        refusal: null,
        tool_calls: [{
          id: "toolu9",
          type: "function",
          function: { name: "exec", arguments: '{"command":"ls"}' },
        }],
      },
      logprobs: null,
      finish_reason: "tool_calls",
    }],
    usage: {
      prompt_tokens: 125,
      completion_tokens: 503,
      total_tokens: 628,
      prompt_tokens_details: { cached_tokens: 100 },
      completion_tokens_details: { reasoning_tokens: 0 },
    },
  });
});

Deno.test("a message through the model and back is the same message", () => {
  const who = { ...WHO, id: MESSAGE.id, model: MESSAGE.model };
  const back = writeMessagesResponse(readMessagesResponse(node(MESSAGE)), who);
  // But for the id of the call: OpenClaw would take the "_" out anyway.
  assertEquals(JSON.stringify(back).replace("toolu9", "toolu_9"), JSON.stringify(MESSAGE));
});

/** platform.openai.com/docs/api-reference/chat/object */
const chat = (message: unknown, finish_reason = "stop") => ({
  id: "chatcmpl-1",
  object: "chat.completion",
  created: 1,
  model: "gpt",
  choices: [{ index: 0, message, finish_reason }],
  usage: {
    prompt_tokens: 19,
    completion_tokens: 10,
    prompt_tokens_details: { cached_tokens: 4 },
    completion_tokens_details: { reasoning_tokens: 3 },
  },
});

Deno.test("a chat completion as a message: stop reasons, usage, arguments that are no JSON", () => {
  const call = { id: "c", type: "function", function: { name: "f", arguments: '{"a":' } };
  const answer = { role: "assistant", content: null, tool_calls: [call] };
  const { content, stop_reason, usage } = writeMessagesResponse(
    readChatResponse(node(chat(answer))),
    WHO,
  );
  assertEquals(content, [{
    type: "tool_use",
    id: "c",
    name: "f",
    input: { INVALID_JSON: '{"a":' },
  }]);
  assertEquals(stop_reason, "tool_use", 'a server that says "stop" after calls');
  assertEquals(usage, {
    input_tokens: 15,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 4,
    output_tokens: 10,
  });
  const reason = (finish: string, message: unknown = { content: "a" }): unknown =>
    writeMessagesResponse(readChatResponse(node(chat(message, finish))), WHO)["stop_reason"];
  assertEquals(["stop", "length", "content_filter"].map((finish) => reason(finish)), [
    "end_turn",
    "max_tokens",
    "refusal",
  ]);
  assertEquals(reason("stop", { content: null, refusal: "no" }), "refusal");
});

Deno.test("stop reasons of a message in chat's words", () => {
  const reason = (stop_reason: string): unknown =>
    JSON.stringify(writeChatResponse(readMessagesResponse(node({ ...MESSAGE, stop_reason })), WHO))
      .match(/"finish_reason":"(\w+)"/)?.[1];
  const words = [
    "end_turn",
    "max_tokens",
    "stop_sequence",
    "tool_use",
    "pause_turn",
    "refusal",
    "model_context_window_exceeded",
  ];
  assertEquals(words.map(reason), [
    "stop",
    "length",
    "stop",
    "tool_calls",
    "stop",
    "content_filter",
    "length",
  ]);
});

Deno.test("an answer that is none is an error with its path", () => {
  const paths = [
    () => readChatResponse(node({ choices: [] })),
    () => readChatResponse(node({ error: {} })),
    () => readMessagesResponse(node({ content: [{ type: "server_tool_use" }] })),
    () => readMessagesResponse(node([])),
  ].map((read) => assertThrows(read, TranslationError).path);
  assertEquals(paths, ["answer.choices", "answer.choices", "answer.content[0].type", "answer"]);
});

Deno.test("errors: kinds by status and by words, and what OpenClaw gets to see", () => {
  const seen = (status: number, body: string): unknown[] => {
    const read = readOpenAiFault(status, body);
    return [read.kind, mayRetry(read), shownToClient(read, "m").status];
  };
  const said = (message: string): string => JSON.stringify({ error: { message } });
  assertEquals(seen(400, said("bad")), ["invalid_request", false, 400]);
  assertEquals(seen(401, said("Incorrect API key")), ["authentication", false, 404]);
  assertEquals(seen(402, ""), ["billing", false, 400]);
  assertEquals(seen(403, "<html>"), ["permission", false, 404]);
  assertEquals(seen(404, '{"error":"model not found"}'), ["not_found", false, 404]);
  assertEquals(seen(413, said("large")), ["too_large", false, 400]);
  assertEquals(seen(422, "{}"), ["invalid_request", false, 422]);
  assertEquals(seen(429, said("slow down")), ["rate_limit", true, 503]);
  assertEquals(seen(529, said("Overloaded")), ["overloaded", true, 503]);
  assertEquals(seen(500, "null"), ["server", true, 503]);
  assertEquals(seen(400, said("prompt is too long: 210000 tokens > 200000 maximum")), [
    "context_length",
    false,
    400,
  ]);
  const quota = JSON.stringify({ error: { message: "x", code: "insufficient_quota" } });
  assertEquals(seen(429, quota), ["billing", false, 400]);
});

Deno.test("errors: none shows a key's text, or control characters", () => {
  const key = JSON.stringify({ error: { message: "Incorrect API key provided: sk-abc" } });
  const shown = JSON.stringify(shownToClient(readOpenAiFault(401, key), "m"));
  assert(!shown.includes("sk-abc"), shown);
  const odd = readAnthropicFault(400, JSON.stringify({ error: { message: "a\u001b[31mb" } }));
  assert(!odd.message.includes("\u001b"), odd.message);
});

Deno.test("errors in the shapes that the SDKs read", () => {
  assertEquals(writeOpenAiFault(fault("context_length", "too long", "messages")), {
    error: {
      message: "too long",
      type: "invalid_request_error",
      param: "messages",
      code: "context_length_exceeded",
    },
  });
  assertEquals(writeAnthropicFault(fault("overloaded", "later"), "req_1"), {
    type: "error",
    error: { type: "overloaded_error", message: "later" },
    request_id: "req_1",
  });
});

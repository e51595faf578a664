// SPDX-License-Identifier: GPL-2.0-or-later
/** Chat completions requests that no messages request can say. @module */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { readChatRequest } from "../../../../../vm/proxy/translate/chat/chat_request_read.ts";
import { parseJson } from "../../../../../vm/proxy/translate/json_node.ts";
import { writeMessagesRequest } from "../../../../../vm/proxy/translate/messages/messages_request_write.ts";
import type { Written } from "../../../../../vm/proxy/translate/conversation.ts";
import { TranslationError } from "../../../../../vm/proxy/translate/translation_error.ts";

function translate(body: Record<string, unknown>): Written {
  const full = { model: "claude-sonnet-4-5", messages: [{ role: "user", content: "hi" }], ...body };
  const conversation = readChatRequest(parseJson(JSON.stringify(full), "body"));
  return writeMessagesRequest(conversation, { defaultMaxTokens: 4096, cachePrompt: false });
}

/** Field of the request -> where the error says it is. */
const REFUSED: readonly (readonly [body: Record<string, unknown>, path: string])[] = [
  [{ messages: [{ role: "robot", content: "x" }] }, "body.messages[0].role"],
  [{ messages: [{ role: "user", content: 5 }] }, "body.messages[0].content"],
  [{ messages: [] }, "body.messages"],
  [{ messages: "hi" }, "body.messages"],
  [{ model: 5 }, "body.model"],
  [{ tool_choice: "sometimes" }, "body.tool_choice"],
  [{ response_format: { type: "xml" } }, "body.response_format.type"],
  [{ functions: [] }, "body.functions"],
  [{ max_tokens: "8192" }, "body.max_tokens"],
];

Deno.test("chat requests: what cannot be translated is named by its path, with the fix", () => {
  for (const [body, path] of REFUSED) {
    const error = assertThrows(() => translate(body), TranslationError);
    assertEquals(error.path, path);
    assert(error.fix !== "", path);
  }
  const orphan = [{ role: "user", content: "u" }, { role: "tool", content: "", tool_call_id: "x" }];
  assertThrows(() => translate({ messages: orphan }), TranslationError, "answers no tool call");
  let deep = "{}";
  for (let i = 0; i < 300; i++) deep = `{"a":${deep}}`;
  const tools = [{ type: "function", function: { name: "f", parameters: JSON.parse(deep) } }];
  assertThrows(() => translate({ tools }), TranslationError, "nested deeper");
});

const user = (part: unknown) => ({ messages: [{ role: "user", content: [part] }] });
const called = (text: string) => ({
  messages: [
    { role: "user", content: "u" },
    {
      role: "assistant",
      tool_calls: [{ id: "a", type: "function", function: { name: "f", arguments: text } }],
    },
    { role: "tool", tool_call_id: "a", content: "r" },
  ],
});

/** Field of the request -> what is said of it; the rest of the request goes on. */
const LEFT_OUT: readonly (readonly [body: Record<string, unknown>, said: string])[] = [
  [user({ type: "input_audio" }), "input_audio left out"],
  [user({ type: "image_url", image_url: { url: "http://x" } }), "image left out"],
  [
    user({ type: "image_url", image_url: { url: "data:image/svg+xml;base64,AA" } }),
    "image left out",
  ],
  [user({ type: "file", file: { file_id: "f" } }), "document left out"],
  [called("[1]"), "broken arguments of a tool call repaired"],
  [{ tools: [{ type: "custom" }] }, "tool custom left out"],
];

Deno.test("chat requests: a kind of content or of tool that nobody knows costs only itself", () => {
  for (const [body, said] of LEFT_OUT) {
    const { changes, body: sent } = translate(body);
    assert(changes.includes(said), `${said}: ${changes}`);
    assert(Array.isArray(sent["messages"]) && sent["messages"].length > 0);
  }
});

Deno.test("an unknown kind leaves a note for the model in the place of what it was", () => {
  const { body } = translate(user({ type: "input_audio" }));
  assertEquals(body["messages"], [{
    role: "user",
    content: [{
      ...{ type: "text", text: "[input_audio was left out here: it cannot be passed on]" },
    }],
  }]);
});

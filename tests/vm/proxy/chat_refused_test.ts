// SPDX-License-Identifier: GPL-2.0-or-later
/** Chat completions requests that no messages request can say. @module */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { readChatRequest } from "../../../vm/proxy/translate/chat_request_read.ts";
import { parseJson } from "../../../vm/proxy/translate/json_node.ts";
import { writeMessagesRequest } from "../../../vm/proxy/translate/messages_request_write.ts";
import { TranslationError } from "../../../vm/proxy/translate/translation_error.ts";

function translate(body: Record<string, unknown>): unknown {
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
  [
    { messages: [{ role: "user", content: [{ type: "input_audio" }] }] },
    "body.messages[0].content[0].type",
  ],
  [
    {
      messages: [{
        role: "user",
        content: [{ type: "image_url", image_url: { url: "http://x" } }],
      }],
    },
    "body.messages[0].content[0].image_url.url",
  ],
  [
    {
      messages: [{
        role: "user",
        content: [{ type: "image_url", image_url: { url: "data:image/svg+xml;base64,AA" } }],
      }],
    },
    "body.messages[0].content[0].image_url.url",
  ],
  [
    {
      messages: [{
        role: "assistant",
        tool_calls: [{ id: "a", type: "function", function: { name: "f", arguments: "[1]" } }],
      }],
    },
    "body.messages[0].tool_calls[0].function.arguments",
  ],
  [{ tools: [{ type: "custom" }] }, "body.tools[0].type"],
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

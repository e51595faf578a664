// SPDX-License-Identifier: GPL-2.0-or-later
/** PDFs and texts between chat's file, the responses API's input_file and Anthropic's document. @module */

import { assert, assertEquals } from "@std/assert";
import { readChatRequest } from "../../../../vm/proxy/translate/chat/chat_request_read.ts";
import { writeChatRequest } from "../../../../vm/proxy/translate/chat/chat_request_write.ts";
import type { Conversation } from "../../../../vm/proxy/translate/conversation.ts";
import { withTextDocuments } from "../../../../vm/proxy/translate/document.ts";
import { readMessagesRequest } from "../../../../vm/proxy/translate/messages/messages_request_read.ts";
import { writeMessagesRequest } from "../../../../vm/proxy/translate/messages/messages_request_write.ts";
import { readResponsesRequest } from "../../../../vm/proxy/translate/responses/responses_request_read.ts";

type Reader = typeof readChatRequest;

const PDF = btoa("%PDF-1.7 not really");
const DATA = `data:application/pdf;base64,${PDF}`;
const TEXT = btoa("a,b\n1,2");

const read = (reader: Reader, value: Record<string, unknown>): Conversation =>
  withTextDocuments(reader({ value: { model: "m", ...value }, path: "body" }), (text) => text);

const chat = (part: unknown) =>
  read(readChatRequest, { messages: [{ role: "user", content: [part] }] });
const responses = (part: unknown) =>
  read(readResponsesRequest, { input: [{ role: "user", content: [part] }] });
const messages = (block: unknown) =>
  read(readMessagesRequest, { messages: [{ role: "user", content: [block] }] });

const asMessages = (conversation: Conversation): unknown =>
  (writeMessagesRequest(conversation, { defaultMaxTokens: 1024, cachePrompt: false })
    .body["messages"] as { content: unknown[] }[])[0]?.content[0];

const asChat = (conversation: Conversation): unknown => {
  const { content } = (writeChatRequest(conversation, { maxTokensField: "max_tokens" })
    .body["messages"] as { content: unknown }[])[0] ?? {};
  return Array.isArray(content) ? content[0] : content;
};

const PDF_BLOCK = {
  type: "document",
  source: { type: "base64", media_type: "application/pdf", data: PDF },
  title: "a.pdf",
};
const PDF_FILE = { type: "file", file: { filename: "a.pdf", file_data: DATA } };

Deno.test("a PDF goes from each API to each other", () => {
  const input = { type: "input_file", filename: "a.pdf", file_data: DATA };
  for (const from of [chat(PDF_FILE), responses(input), messages(PDF_BLOCK)]) {
    assertEquals([asMessages(from), asChat(from)], [PDF_BLOCK, PDF_FILE]);
  }
});

Deno.test("a text document is a document for Anthropic, and words in a frame for others", () => {
  const source = { type: "text", media_type: "text/plain", data: "a,b\n1,2" };
  const block = { type: "document", source, title: "t.csv" };
  const file_data = `data:text/csv;base64,${TEXT}`;
  const base64 = { type: "base64", media_type: "text/csv", data: TEXT };
  for (
    const from of [
      messages(block),
      messages({ ...block, source: base64 }),
      chat({ type: "file", file: { filename: "t.csv", file_data } }),
      chat({ type: "file", file: { filename: "t.csv", file_data: TEXT } }),
      responses({ type: "input_file", filename: "t.csv", file_data }),
    ]
  ) {
    assertEquals(asMessages(from), block);
    assertEquals(asChat(from), {
      type: "text",
      text: '<document name="t.csv">\na,b\n1,2\n</document>',
    });
  }
});

Deno.test("a document by its address stays one where the provider fetches it", () => {
  const url = "https://example.org/a.pdf";
  const block = { type: "document", source: { type: "url", url } };
  for (const from of [messages(block), responses({ type: "input_file", file_url: url })]) {
    assertEquals(asMessages(from), block);
    assert(JSON.stringify(asChat(from)).includes(url));
  }
});

Deno.test("a PDF in the result of a tool, as Claude Code reads it, does not end the session", () => {
  const turn = (content: unknown) => [
    { role: "user", content: "u" },
    { role: "assistant", content: [{ type: "tool_use", id: "c", name: "Read", input: {} }] },
    { role: "user", content: [{ type: "tool_result", tool_use_id: "c", content }] },
  ];
  const from = read(readMessagesRequest, { messages: turn([PDF_BLOCK]) });
  const { body } = writeChatRequest(from, { maxTokensField: "max_tokens" });
  assertEquals((body["messages"] as unknown[]).slice(2), [
    { role: "tool", tool_call_id: "c", content: "(see the next message)" },
    { role: "user", content: [PDF_FILE] },
  ]);
  const back = writeMessagesRequest(from, { defaultMaxTokens: 1024, cachePrompt: false }).body;
  assertEquals((back["messages"] as { content: unknown }[])[2]?.content, [
    { type: "tool_result", tool_use_id: "c", content: [PDF_BLOCK] },
  ]);
});

Deno.test("a document that is kept elsewhere, or is of another kind, is named where it was", () => {
  for (
    const from of [
      chat({ type: "file", file: { file_id: "file-1" } }),
      responses({ type: "input_file", file_id: "file-1" }),
      messages({ type: "document", source: { type: "file", file_id: "file-1" } }),
    ]
  ) {
    assertEquals(from.changes, ["document left out"]);
    assert(JSON.stringify(asChat(from)).includes("document was left out"));
  }
  const word = { type: "base64", media_type: "application/msword", data: PDF };
  const from = messages({ type: "document", source: word, title: "a.doc" });
  assert(JSON.stringify(asMessages(from)).includes('The document \\"a.doc\\" was left out'));
});

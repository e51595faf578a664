// SPDX-License-Identifier: GPL-2.0-or-later
/** A request and an answer in the client's API, from and to the neutral form. @module */

import type { Exchange } from "./exchange.ts";
import { readChatRequest } from "./translate/chat_request_read.ts";
import { writeChatResponse } from "./translate/chat_response.ts";
import { createChatStreamWriter } from "./translate/chat_stream_writer.ts";
import type {
  AnswerIdentity,
  Completion,
  ResponseIdentity,
  StreamWriter,
} from "./translate/completion.ts";
import type { Conversation } from "./translate/conversation.ts";
import { withTextDocuments } from "./translate/document.ts";
import type { JsonNode } from "./translate/json_node.ts";
import { readMessagesRequest } from "./translate/messages_request_read.ts";
import { writeMessagesResponse } from "./translate/messages_response.ts";
import { createMessagesStreamWriter } from "./translate/messages_stream_writer.ts";
import { readOllamaRequest } from "./translate/ollama_request_read.ts";
import { createOllamaStreamWriter, writeOllamaResponse } from "./translate/ollama_response.ts";
import { readResponsesRequest } from "./translate/responses_request_read.ts";
import { RESPONSE_ID, writeResponsesResponse } from "./translate/responses_response.ts";
import { formsOf } from "./translate/responses_tools.ts";
import { createResponsesStreamWriter } from "./translate/responses_stream_writer.ts";

/** What the client asked, as far as it shapes how it is answered. */
export interface Asked {
  readonly tools: Conversation["tools"];
  readonly includeUsage: boolean;
  /** The provider that answers, by its name. */
  readonly maker: string;
}

/** How one API is read and written. */
export interface ClientFormat {
  /** @throws {TranslationError} */
  readRequest(exchange: Exchange): Conversation;
  writeBody(completion: Completion, exchange: Exchange, asked: Asked): Record<string, unknown>;
  createWriter(exchange: Exchange, asked: Asked): StreamWriter;
}

const bodyOf = ({ body }: Exchange) => ({ value: body.untrustedBody, path: "body" });

const readBy = (read: (body: JsonNode) => Conversation, exchange: Exchange): Conversation =>
  withTextDocuments(read(bodyOf(exchange)), (text) => exchange.body.whole(text));

function identity({ requestId, model, createdS }: Exchange, prefix: string): ResponseIdentity {
  return { id: prefix + requestId, model, createdS };
}

const made = (exchange: Exchange, prefix: string, { maker }: Asked): AnswerIdentity => ({
  ...identity(exchange, prefix),
  maker,
});

const FORMATS: ReadonlyMap<string, ClientFormat> = new Map<string, ClientFormat>([
  ["chat", {
    readRequest: (exchange) => readBy(readChatRequest, exchange),
    writeBody: (completion, exchange) =>
      writeChatResponse(completion, identity(exchange, "chatcmpl-")),
    createWriter: (exchange, { includeUsage }) =>
      createChatStreamWriter(identity(exchange, "chatcmpl-"), { includeUsage }),
  }],
  ["messages", {
    readRequest: (exchange) => readBy(readMessagesRequest, exchange),
    writeBody: (completion, exchange, asked) =>
      writeMessagesResponse(completion, made(exchange, "msg_", asked)),
    createWriter: (exchange, asked) => createMessagesStreamWriter(made(exchange, "msg_", asked)),
  }],
  ["responses", {
    readRequest: (exchange) => readBy(readResponsesRequest, exchange),
    writeBody: (completion, exchange, asked) =>
      writeResponsesResponse(completion, made(exchange, RESPONSE_ID, asked), formsOf(asked.tools)),
    createWriter: (exchange, asked) =>
      createResponsesStreamWriter(made(exchange, RESPONSE_ID, asked), formsOf(asked.tools)),
  }],
  ["ollama", {
    readRequest: (exchange) => readBy(readOllamaRequest, exchange),
    writeBody: (completion, exchange) => writeOllamaResponse(completion, identity(exchange, "")),
    createWriter: (exchange) => createOllamaStreamWriter(identity(exchange, "")),
  }],
]);

/** undefined: nothing is translated for this API. */
export function formatOf(exchange: Exchange): ClientFormat | undefined {
  return FORMATS.get(exchange.api);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** A request and an answer in the client's API, from and to the neutral form. @module */

import type { Exchange } from "./exchange.ts";
import { readChatRequest } from "./translate/chat_request_read.ts";
import { writeChatResponse } from "./translate/chat_response.ts";
import { createChatStreamWriter } from "./translate/chat_stream_writer.ts";
import type { Completion, ResponseIdentity, StreamWriter } from "./translate/completion.ts";
import type { Conversation } from "./translate/conversation.ts";
import { readMessagesRequest } from "./translate/messages_request_read.ts";
import { writeMessagesResponse } from "./translate/messages_response.ts";
import { createMessagesStreamWriter } from "./translate/messages_stream_writer.ts";
import { readOllamaRequest } from "./translate/ollama_request_read.ts";
import { createOllamaStreamWriter, writeOllamaResponse } from "./translate/ollama_response.ts";
import { readResponsesRequest } from "./translate/responses_request_read.ts";
import { writeResponsesResponse } from "./translate/responses_response.ts";
import { createResponsesStreamWriter } from "./translate/responses_stream_writer.ts";

/** A conversation without what was said in it: an answer must not keep the pictures in memory. */
export type Asked = Omit<Conversation, "turns">;

/** How one API is read and written. */
export interface ClientFormat {
  /** @throws {TranslationError} */
  readRequest(exchange: Exchange): Conversation;
  writeBody(completion: Completion, exchange: Exchange): Record<string, unknown>;
  createWriter(exchange: Exchange, asked: Asked): StreamWriter;
}

const bodyOf = ({ body }: Exchange) => ({ value: body.untrustedBody, path: "body" });

function identity({ requestId, model, createdS }: Exchange, prefix: string): ResponseIdentity {
  return { id: prefix + requestId, model, createdS };
}

const FORMATS: ReadonlyMap<string, ClientFormat> = new Map<string, ClientFormat>([
  ["chat", {
    readRequest: (exchange) => readChatRequest(bodyOf(exchange)),
    writeBody: (completion, exchange) =>
      writeChatResponse(completion, identity(exchange, "chatcmpl-")),
    createWriter: (exchange, { includeUsage }) =>
      createChatStreamWriter(identity(exchange, "chatcmpl-"), { includeUsage }),
  }],
  ["messages", {
    readRequest: (exchange) => readMessagesRequest(bodyOf(exchange)),
    writeBody: (completion, exchange) =>
      writeMessagesResponse(completion, identity(exchange, "msg_")),
    createWriter: (exchange) => createMessagesStreamWriter(identity(exchange, "msg_")),
  }],
  ["responses", {
    readRequest: (exchange) => readResponsesRequest(bodyOf(exchange)),
    writeBody: (completion, exchange) =>
      writeResponsesResponse(completion, identity(exchange, "resp_")),
    createWriter: (exchange) => createResponsesStreamWriter(identity(exchange, "resp_")),
  }],
  ["ollama", {
    readRequest: (exchange) => readOllamaRequest(bodyOf(exchange)),
    writeBody: (completion, exchange) => writeOllamaResponse(completion, identity(exchange, "")),
    createWriter: (exchange) => createOllamaStreamWriter(identity(exchange, "")),
  }],
]);

/** undefined: nothing is translated for this API. */
export function formatOf(exchange: Exchange): ClientFormat | undefined {
  return FORMATS.get(exchange.api);
}

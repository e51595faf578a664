// SPDX-License-Identifier: GPL-2.0-or-later
/** A request and an answer in the client's API, from and to the neutral form. @module */

import type { Exchange } from "../exchange.ts";
import type { Keep } from "../memory/kept_responses.ts";
import { readChatRequest } from "../translate/chat/chat_request_read.ts";
import { writeChatResponse } from "../translate/chat/chat_response.ts";
import { createChatStreamWriter } from "../translate/chat/chat_stream_writer.ts";
import type {
  AnswerIdentity,
  Completion,
  ResponseIdentity,
  StreamWriter,
} from "../translate/completion.ts";
import type { Conversation } from "../translate/conversation.ts";
import { withTextDocuments } from "../translate/document.ts";
import type { Body } from "../translate/fit/fit_fields.ts";
import type { JsonNode } from "../translate/json_node.ts";
import { readMessagesRequest } from "../translate/messages/messages_request_read.ts";
import { writeMessagesResponse } from "../translate/messages/messages_response.ts";
import { createMessagesStreamWriter } from "../translate/messages/messages_stream_writer.ts";
import { readOllamaRequest } from "../translate/ollama/ollama_request_read.ts";
import {
  createOllamaStreamWriter,
  writeOllamaResponse,
} from "../translate/ollama/ollama_response.ts";
import { type Kept, withReferences } from "../translate/references.ts";
import { readResponsesRequest } from "../translate/responses/responses_request_read.ts";
import { RESPONSE_ID, writeResponsesResponse } from "../translate/responses/responses_response.ts";
import { formsOf } from "../translate/responses/responses_tools.ts";
import { createResponsesStreamWriter } from "../translate/responses/responses_stream_writer.ts";

/** The parts of the request that determine how the answer is written. */
export interface Asked {
  readonly tools: Conversation["tools"];
  readonly includeUsage: boolean;
  /** The provider that answers, by its name. */
  readonly maker: string;
  /** Stores the items of a response, to which the client may refer later. */
  readonly keep?: Keep | undefined;
}

/** How one API is read and written. */
export interface ClientFormat {
  /** @throws {TranslationError} */
  readRequest(exchange: Exchange, kept: Kept): Conversation;
  writeBody(completion: Completion, exchange: Exchange, asked: Asked): Record<string, unknown>;
  createWriter(exchange: Exchange, asked: Asked): StreamWriter;
}

const readBy = (
  read: (body: JsonNode) => Conversation,
  untrustedBody: Body,
  exchange: Exchange,
): Conversation =>
  withTextDocuments(
    read({ value: untrustedBody, path: "body" }),
    (text) => exchange.body.whole(text),
  );

/** A provider behind a translation stores no responses. */
const NOBODY = "-";

function identity({ requestId, model, createdS }: Exchange, prefix: string): ResponseIdentity {
  return { id: prefix + requestId, model, createdS };
}

const made = (exchange: Exchange, prefix: string, { maker }: Asked): AnswerIdentity => ({
  ...identity(exchange, prefix),
  maker,
});

const FORMATS: ReadonlyMap<string, ClientFormat> = new Map<string, ClientFormat>([
  ["chat", {
    readRequest: (exchange) => readBy(readChatRequest, exchange.body.untrustedBody, exchange),
    writeBody: (completion, exchange) =>
      writeChatResponse(completion, identity(exchange, "chatcmpl-")),
    createWriter: (exchange, { includeUsage }) =>
      createChatStreamWriter(identity(exchange, "chatcmpl-"), { includeUsage }),
  }],
  ["messages", {
    readRequest: (exchange) => readBy(readMessagesRequest, exchange.body.untrustedBody, exchange),
    writeBody: (completion, exchange, asked) =>
      writeMessagesResponse(completion, made(exchange, "msg_", asked)),
    createWriter: (exchange, asked) => createMessagesStreamWriter(made(exchange, "msg_", asked)),
  }],
  ["responses", {
    readRequest: (exchange, kept) =>
      readBy(
        readResponsesRequest,
        withReferences(exchange.body.untrustedBody, NOBODY, kept),
        exchange,
      ),
    writeBody(completion, exchange, asked) {
      const who = made(exchange, RESPONSE_ID, asked);
      const body = writeResponsesResponse(completion, who, formsOf(asked.tools));
      if (Array.isArray(body["output"])) asked.keep?.(who.id, "", body["output"]);
      return body;
    },
    createWriter(exchange, asked) {
      const who = made(exchange, RESPONSE_ID, asked);
      return createResponsesStreamWriter(
        who,
        formsOf(asked.tools),
        (output) => asked.keep?.(who.id, "", output),
      );
    },
  }],
  ["ollama", {
    readRequest: (exchange) => readBy(readOllamaRequest, exchange.body.untrustedBody, exchange),
    writeBody: (completion, exchange) => writeOllamaResponse(completion, identity(exchange, "")),
    createWriter: (exchange) => createOllamaStreamWriter(identity(exchange, "")),
  }],
]);

/** undefined: nothing is translated for this API. */
export function formatOf(exchange: Exchange): ClientFormat | undefined {
  return FORMATS.get(exchange.api);
}

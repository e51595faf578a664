// SPDX-License-Identifier: GPL-2.0-or-later
/** A request for a provider of another API: written in its words, and its answer read back. @module */

import { abilitiesOf } from "../config/abilities.ts";
import { type AttemptContext, upstreamCall } from "./upstream_call.ts";
import { formatOf } from "./client_format.ts";
import type { Target } from "../config/config.ts";
import { eventsAnswer, type EventSource, notServed } from "./events_answer.ts";
import { type Answer, type Exchange, UpstreamFailure } from "../exchange.ts";
import { type Bytes, type ByteSource, isWhole } from "../bytes.ts";
import type { Memory } from "../memory/memory.ts";
import { createSseSplitter, SseError } from "../stream/sse.ts";
import { writeChatRequest } from "../translate/chat/chat_request_write.ts";
import { readChatResponse } from "../translate/chat/chat_response.ts";
import { createChatStreamReader } from "../translate/chat/chat_stream_reader.ts";
import { completionEvents } from "../translate/collect.ts";
import type { Completion, StreamReader } from "../translate/completion.ts";
import type {
  Conversation,
  RedactedPart,
  ThinkingPart,
  Written,
} from "../translate/conversation.ts";
import { dialectOf } from "../translate/fit/dialect.ts";
import { fault, faultOf, faultOfAnswer } from "../translate/fault.ts";
import { fitBody } from "../translate/fit/fit.ts";
import { type JsonNode, parseJson } from "../translate/json_node.ts";
import { writeMessagesRequest } from "../translate/messages/messages_request_write.ts";
import { readMessagesResponse } from "../translate/messages/messages_response.ts";
import { createMessagesStreamReader } from "../translate/messages/messages_stream_reader.ts";
import { isOwnPart, type Made } from "../translate/provenance.ts";
import { claudeMaxOutputTokens } from "../translate/thinking.ts";
import { TranslationError } from "../translate/translation_error.ts";
import { callUpstream } from "./upstream_fetch.ts";

/** A whole answer is kept in memory while it is translated. */
const MAX_BODY_BYTES = 32 * 1024 * 1024;
interface Wire {
  readonly api: "chat" | "messages";
  write(conversation: Conversation): Written;
  readBody(body: JsonNode): Completion;
  createReader(): StreamReader;
}

function wireOf(target: Target, made: Made): Wire {
  const { provider, model } = target;
  const { reasoning } = dialectOf(provider);
  const maxTokens = abilitiesOf(target).maxOutputTokens ?? claudeMaxOutputTokens(model);
  const isOwn = (part: ThinkingPart | RedactedPart): boolean =>
    isOwnPart(part, provider.name, made);
  if (provider.kind === "anthropic") {
    return {
      api: "messages",
      write: (conversation) =>
        writeMessagesRequest(conversation, {
          defaultMaxTokens: maxTokens,
          maxTokens,
          cachePrompt: true,
          takesBack: (part) => isOwn(part) && (part.kind === "redacted" || part.signature !== ""),
        }),
      readBody: readMessagesResponse,
      createReader: createMessagesStreamReader,
    };
  }
  const maxTokensField = provider.maxTokensField ?? dialectOf(provider).maxTokens;
  return {
    api: "chat",
    // Without it a stream does not say what it cost; whether the client wants it is kept apart.
    write: (conversation) =>
      writeChatRequest({ ...conversation, includeUsage: conversation.stream }, {
        maxTokensField,
        provider: provider.name,
        takesBack: (part) => reasoning === "wanted" || (part.maker !== undefined && isOwn(part)),
      }),
    readBody: readChatResponse,
    createReader: createChatStreamReader,
  };
}

/** @throws {UpstreamFailure} */
export async function attemptTranslated(
  exchange: Exchange,
  target: Target,
  context: AttemptContext,
  { origins: { made }, kept }: Memory,
): Promise<Answer> {
  const { provider, model } = target;
  const format = formatOf(exchange);
  if (format === undefined) throw notServed(exchange, provider.name);
  const wire = wireOf(target, made);
  const { asked, upload, changes } = translateRequest(() => {
    const read = format.readRequest(exchange, kept.of(exchange.client));
    const written = wire.write({ ...read, model });
    const changes = new Set(written.changes);
    const say = (change: string): void => void changes.add(change);
    const who = { provider: provider.name, model, dialect: dialectOf(provider) };
    const body: Record<string, unknown> = {
      ...fitBody(wire.api, written.body, { ...who, made, say }),
    };
    for (const name of provider.drop.filter((name) => Object.hasOwn(body, name))) {
      delete body[name];
      say(`${name} left out`);
    }
    const { tools, includeUsage } = read;
    const keep = kept.keeper(exchange);
    const asked = { tools, includeUsage, maker: provider.name, keep };
    return { asked, upload: exchange.body.upload(JSON.stringify(body)), changes: [...changes] };
  });
  const call = upstreamCall(exchange, provider, wire.api, upload, context.secret);
  const start = await callUpstream(call, exchange.gone, context);
  const isStream = start.contentType.includes("event-stream") && !isWhole(start.body);
  const source = isStream
    ? streamSource(start.body, wire.createReader())
    : await bodySource(start.body, wire);
  return { ...await eventsAnswer(exchange, format, asked, source), changes };
}

/** What cannot be translated is the client's mistake. */
export function translateRequest<T>(translate: () => T): T {
  try {
    return translate();
  } catch (error) {
    if (!(error instanceof TranslationError)) throw error;
    throw new UpstreamFailure(faultOf(error));
  }
}

function streamSource(upstream: ByteSource, reader: StreamReader): EventSource {
  const splitter = createSseSplitter();
  let over = false;
  return {
    async next() {
      if (over) return null;
      try {
        const bytes = await upstream.read();
        if (bytes !== null) return splitter.push(bytes).flatMap((event) => reader.push(event));
        over = true;
        return [...splitter.end().flatMap((event) => reader.push(event)), ...reader.end()];
      } catch (error) {
        over = true;
        upstream.cancel();
        if (error instanceof SseError) {
          return [{ kind: "error", fault: fault("server", "the provider sent an endless event") }];
        }
        return reader.end(); // cut off: an error, unless it was whole
      }
    },
    cancel: () => upstream.cancel(),
  };
}

async function bodySource(body: Bytes | ByteSource, wire: Wire): Promise<EventSource> {
  const text = await readWhole(body);
  const completion = (() => {
    try {
      return wire.readBody(parseJson(text, "answer"));
    } catch (error) {
      if (!(error instanceof TranslationError)) throw error;
      throw new UpstreamFailure(faultOfAnswer(error), { counts: true });
    }
  })();
  let given = false;
  return {
    next() {
      if (given) return Promise.resolve(null);
      given = true;
      return Promise.resolve(completionEvents(completion));
    },
    cancel() {},
  };
}

async function readWhole(body: Bytes | ByteSource): Promise<string> {
  const decoder = new TextDecoder();
  if (isWhole(body)) return decoder.decode(body);
  let text = "";
  try {
    for (let chunk; (chunk = await body.read()) !== null;) {
      text += decoder.decode(chunk, { stream: true });
      if (text.length > MAX_BODY_BYTES) {
        body.cancel();
        break;
      }
    }
  } catch {
    throw new UpstreamFailure(fault("overloaded", "the connection to the provider broke"), {
      counts: true,
    });
  }
  return text + decoder.decode();
}

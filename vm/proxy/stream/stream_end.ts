// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The words with which each API says that a stream lives, is over, or has failed.
 *
 * OpenClaw sends a whole turn again, up to ten times, when a stream ends with an error or without
 * a reason; it does not when the reason is that the answer became too long. For others an error is
 * the truth. So there are two ways to end a stream that its upstream broke off.
 *
 * @module
 */

import type { Exchange } from "../exchange.ts";
import { sseText } from "./sse.ts";
import { type Fault, writeAnthropicFault, writeOpenAiFault } from "../translate/fault.ts";
import { ollamaHeartbeat, writeOllamaFault } from "../translate/ollama/ollama_response.ts";
import { RESPONSE_ID, responseObject } from "../translate/responses/responses_response.ts";

/** Ollama's streams are lines of JSON, all others events. */
export const streamType = ({ api }: Pick<Exchange, "api">): string =>
  api === "ollama" ? "application/x-ndjson" : "text/event-stream";

/** @param head of the stream so far; empty before its first byte */
export function heartbeatText(exchange: Exchange, head: string): string {
  switch (exchange.api) {
    case "chat":
      return chatChunk(exchange, head, {
        delta: head === "" ? { role: "assistant", content: "" } : { content: "" },
        finish_reason: null,
      });
    case "messages":
      return sseText(JSON.stringify({ type: "ping" }), "ping");
    case "ollama":
      return ollamaHeartbeat({ id: "", model: exchange.model, createdS: exchange.createdS });
    case "responses":
      return head === "" ? firstResponseSign(exchange) : sseText(
        // OpenAI's own; OpenClaw takes an event for a sign of life, but not a comment.
        JSON.stringify({ type: "keepalive", sequence_number: 0 }),
        "keepalive",
      );
    default:
      return "";
  }
}

/**
 * OpenClaw does not take a comment for a sign of life. But OpenAI's SDK wants "created" before all else, and
 * the same id in every one: of an answer that is the provider's own we do not know it, so that
 * only OpenClaw, which takes another, gets one then.
 */
function firstResponseSign(exchange: Exchange): string {
  if (!exchange.written && !exchange.isAgent) return ": still working\n\n";
  const { requestId, model, createdS } = exchange;
  const who = { id: RESPONSE_ID + requestId, model, createdS };
  const type = "response.created";
  const response = responseObject(who, "in_progress", {});
  return sseText(JSON.stringify({ type, sequence_number: 0, response }), type);
}

/** Whether a stream that is over was complete. */
export function isComplete(exchange: Exchange, tail: string): boolean {
  switch (exchange.api) {
    case "chat":
      return /^data: ?\[DONE\]/m.test(tail) ||
        /(?<!\\)"finish_reason":\s*"/.test(tail); // null while it goes on
    case "messages":
      return /^event: ?(message_stop|error)/m.test(tail) ||
        /(?<!\\)"type":\s*"message_stop"/.test(tail);
    case "responses":
      return /(?<!\\)"type":\s*"(response\.(completed|incomplete|failed)|error)"/.test(tail);
    default:
      return true;
  }
}

/** What may stand behind a complete stream whose last mark is missing. */
export function finishText(exchange: Exchange, tail: string): string {
  return exchange.api === "chat" && !/^data: ?\[DONE\]/m.test(tail) ? sseText("[DONE]") : "";
}

/** The end of a stream that its upstream broke off after it had begun. */
export function brokenText(exchange: Exchange, fault: Fault, head: string, tail: string): string {
  if (head === "" || exchange.broken === "error") return errorEndText(exchange, fault);
  switch (exchange.api) {
    case "chat":
      return chatChunk(exchange, head, { delta: {}, finish_reason: "length" }) + sseText("[DONE]");
    case "messages":
      return fullMessageEnd(tail) ?? errorEndText(exchange, fault);
    default:
      return errorEndText(exchange, fault);
  }
}

/** An error as an event: the SDKs throw it. */
export function errorEndText(exchange: Exchange, fault: Fault): string {
  switch (exchange.api) {
    case "messages":
      return sseText(JSON.stringify(writeAnthropicFault(fault, exchange.requestId)), "error");
    case "ollama":
      return JSON.stringify(writeOllamaFault(fault)) + "\n";
    case "responses": {
      const { error } = writeOpenAiFault(fault) as { error: Record<string, unknown> };
      const fields = { ...error, type: "error", sequence_number: 0, error };
      return sseText(JSON.stringify(fields), "error");
    }
    default:
      return sseText(JSON.stringify(writeOpenAiFault(fault))) + sseText("[DONE]");
  }
}

function chatChunk(
  exchange: Exchange,
  head: string,
  choice: Readonly<Record<string, unknown>>,
): string {
  const id = /(?<!\\)"id":\s*"([\w.:-]{1,100})"/.exec(head)?.[1] ??
    `chatcmpl-${exchange.requestId}`;
  return sseText(JSON.stringify({
    id,
    object: "chat.completion.chunk",
    created: exchange.createdS,
    model: exchange.model,
    choices: [{ index: 0, ...choice }],
  }));
}

/** Closes the block that is open, then the message; null if there is no message to close. */
function fullMessageEnd(tail: string): string | null {
  const events = [
    ...tail.matchAll(
      /(?<!\\)"type":\s*"content_block_(start|delta|stop)",\s*"index":\s*(\d{1,6})/g,
    ),
  ];
  const last = events.at(-1);
  if (last === undefined) return null;
  const stop = last[1] === "stop" ? "" : sseText(
    JSON.stringify({ type: "content_block_stop", index: Number(last[2]) }),
    "content_block_stop",
  );
  return stop + sseText(
    JSON.stringify({
      type: "message_delta",
      delta: { stop_reason: "max_tokens", stop_sequence: null },
      usage: { output_tokens: 0 },
    }),
    "message_delta",
  ) + sseText(JSON.stringify({ type: "message_stop" }), "message_stop");
}

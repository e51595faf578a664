// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * POST /v1/messages as Anthropic documents it, strict about what it is asked
 * (https://docs.claude.com/en/api/messages, .../api/errors, .../build-with-claude/streaming,
 * .../build-with-claude/extended-thinking, .../build-with-claude/prompt-caching).
 *
 * @module
 */

import {
  fragments,
  records,
  type Said,
  stopOf,
  strictly,
  unknownField,
  USED,
} from "./double_said.ts";
import { type Piece, type Play, sse } from "./proxy_upstream.ts";

const KNOWN = "model messages max_tokens cache_control container context_management mcp_servers " +
  "metadata output_config service_tier stop_sequences stream system temperature thinking " +
  "tool_choice tools top_k top_p";

export const SIGNATURE = "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pk=";

const TYPES: Readonly<Record<number, string>> = {
  ...{ 400: "invalid_request_error", 401: "authentication_error", 403: "permission_error" },
  ...{ 404: "not_found_error", 413: "request_too_large", 429: "rate_limit_error" },
  ...{ 500: "api_error", 529: "overloaded_error" },
};

const errorOf = (status: number, message: string) => ({
  ...{ type: "error", error: { type: TYPES[status] ?? "api_error", message } },
  request_id: "req_up1",
});

export const anthropicError = (
  status: number,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Response =>
  Response.json(errorOf(status, message), {
    status,
    headers: { "request-id": "req_up1", ...headers },
  });

/** What Anthropic refuses; null if it would answer. */
export function checkMessages(body: Readonly<Record<string, unknown>>): string | null {
  const unknown = unknownField(body, KNOWN);
  if (unknown !== undefined) return `${unknown}: Extra inputs are not permitted`;
  if (typeof body["max_tokens"] !== "number") return "max_tokens: Field required";
  const newer = /claude-(?:opus|sonnet|haiku)-(?:[5-9]|4-[7-9])/.test(String(body["model"]));
  if (newer && body["temperature"] !== undefined && body["temperature"] !== 1) {
    return "`temperature` is deprecated for this model.";
  }
  let asked: unknown[] = [];
  for (const [at, { role, content }] of records(body["messages"]).entries()) {
    if (at === 0 && role !== "user") return "messages: first message must use the user role";
    const blocks = typeof content === "string"
      ? [{ type: "text", text: content }]
      : records(content);
    if (blocks.some(({ type, text }) => type === "text" && text === "")) {
      return "messages: text content blocks must be non-empty";
    }
    const results = blocks.flatMap(({ type, tool_use_id }) =>
      type === "tool_result" ? [tool_use_id] : []
    );
    if (results.length !== asked.length || results.some((id) => !asked.includes(id))) {
      return "messages: `tool_use` ids were found without `tool_result` blocks immediately after";
    }
    asked = blocks.flatMap(({ type, id }) => type === "tool_use" ? [id] : []);
  }
  return null;
}

const START_USAGE = {
  ...{ input_tokens: USED.input - USED.cached, cache_creation_input_tokens: 0 },
  ...{ cache_read_input_tokens: USED.cached, service_tier: "standard" },
};

export const anthropicSays = (said: Said): Play => (request, tools) =>
  request.path.endsWith("/count_tokens")
    ? Response.json({ input_tokens: COUNTED })
    : answers(said)(request, tools);

export const COUNTED = 2095;

const answers = (said: Said): Play =>
  strictly(checkMessages, (message) => anthropicError(400, message), ({ body }, { gone }) => {
    if (body["stream"] === true) return sse(messagePieces(said), gone);
    return Response.json({
      ...messageOf(said, blocksOf(said)),
      usage: { ...START_USAGE, output_tokens: USED.output },
    }, { headers: { "request-id": "req_up1" } });
  });

function messageOf(said: Said | null, content: unknown[]): Record<string, unknown> {
  const stop_reason = said === null ? null : stopOf(said);
  return {
    ...{ id: "msg_013Zva", type: "message", role: "assistant", model: "claude-up", content },
    ...{ stop_reason, stop_sequence: stop_reason === "stop_sequence" ? "END" : null },
  };
}

function blocksOf({ texts = [], thinking, calls = [] }: Said): Record<string, unknown>[] {
  return [
    ...(thinking === undefined ? [] : [{ type: "thinking", thinking, signature: SIGNATURE }]),
    ...(texts.length === 0 ? [] : [{ type: "text", text: texts.join("") }]),
    ...calls.map(({ id, name, arguments: input }) => ({ type: "tool_use", id, name, input })),
  ];
}

export const anthropicEvent = (type: string, fields: Record<string, unknown>): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;

export const errorEvent = (status: number, message: string): string => {
  const { type, ...fields } = errorOf(status, message);
  return anthropicEvent(type, fields);
};

/** Each event is one piece. */
export function messagePieces(said: Said): Piece[] {
  const message = { ...messageOf(null, []), usage: { ...START_USAGE, output_tokens: 1 } };
  return [
    anthropicEvent("message_start", { message }),
    anthropicEvent("ping", {}),
    ...blocksOf(said).flatMap(blockPieces),
    anthropicEvent("message_delta", {
      delta: {
        ...{
          stop_reason: stopOf(said),
          stop_sequence: stopOf(said) === "stop_sequence" ? "END" : null,
        },
      },
      usage: { output_tokens: USED.output },
    }),
    anthropicEvent("message_stop", {}),
  ];
}

function blockPieces(block: Record<string, unknown>, index: number): string[] {
  const [begin, ...deltas] = startAndDeltas(block);
  return [
    anthropicEvent("content_block_start", { index, content_block: begin }),
    ...deltas.map((delta) => anthropicEvent("content_block_delta", { index, delta })),
    anthropicEvent("content_block_stop", { index }),
  ];
}

function startAndDeltas(block: Record<string, unknown>): Record<string, unknown>[] {
  switch (block["type"]) {
    case "thinking":
      return [
        { type: "thinking", thinking: "", signature: "" },
        ...fragments(String(block["thinking"])).map((thinking) => ({
          type: "thinking_delta",
          thinking,
        })),
        { type: "signature_delta", signature: SIGNATURE },
      ];
    case "tool_use":
      return [
        { ...block, input: {} },
        { type: "input_json_delta", partial_json: "" },
        ...fragments(JSON.stringify(block["input"])).map((partial_json) => ({
          ...{ type: "input_json_delta", partial_json },
        })),
      ];
    default:
      return [
        { type: "text", text: "" },
        ...fragments(String(block["text"])).map((text) => ({ type: "text_delta", text })),
      ];
  }
}

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
  isRecord,
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

/** What Anthropic refuses; null if it would answer. @param signature of its own thinking */
export function checkMessages(
  body: Readonly<Record<string, unknown>>,
  signature: string = SIGNATURE,
): string | null {
  const unknown = unknownField(body, KNOWN);
  if (unknown !== undefined) return `${unknown}: Extra inputs are not permitted`;
  if (typeof body["max_tokens"] !== "number") return "max_tokens: Field required";
  const newer = /claude-(?:opus|sonnet|haiku)-(?:[5-9]|4-[7-9])/.test(String(body["model"]));
  if (newer && body["temperature"] !== undefined && body["temperature"] !== 1) {
    return "`temperature` is deprecated for this model.";
  }
  if (body["tool_choice"] !== undefined && records(body["tools"]).length === 0) {
    return "tool_choice: may only be specified while providing tools";
  }
  const { user_id = "" } = isRecord(body["metadata"]) ? body["metadata"] : {};
  if (String(user_id).length > 256) return "metadata.user_id: at most 256 characters";
  if (/^[^"{]*@/.test(String(user_id))) return "metadata.user_id: must not be an email address";
  return checkThinking(body) ?? checkOutput(body) ?? checkTurns(body, signature);
}

/** "Adaptive thinking" since 4.6, budgets up to 4.6, "Effort" since Opus 4.5. */
function checkThinking(body: Readonly<Record<string, unknown>>): string | null {
  const { model, thinking, output_config: config } = body;
  const old = /claude-(?:3|(?:opus|sonnet|haiku)-4(?:-[0-5])?(?:$|-20))/.test(String(model));
  const newer = /claude-(?:opus|sonnet|haiku)-(?:[5-9]|4-[7-9])/.test(String(model));
  const type = isRecord(thinking) ? thinking["type"] : undefined;
  if (type === "adaptive" && old) return "adaptive thinking is not supported on this model";
  if (type === "enabled" && newer) {
    return '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive"';
  }
  if (
    isRecord(config) && config["effort"] !== undefined && old && !/opus-4-5/.test(String(model))
  ) {
    return "This model does not support the effort parameter.";
  }
  const edits = isRecord(body["context_management"]) ? body["context_management"]["edits"] : [];
  return type !== "adaptive" && type !== "enabled" &&
      records(edits).some((edit) => String(edit["type"]).startsWith("clear_thinking"))
    ? "`clear_thinking_20251015` strategy requires `thinking` to be enabled or adaptive"
    : null;
}

function checkTurns(
  body: Readonly<Record<string, unknown>>,
  signature: string,
): string | null {
  let asked: unknown[] = [];
  const messages = records(body["messages"]);
  for (const [at, { role, content }] of messages.entries()) {
    if (at === 0 && role !== "user") return "messages: first message must use the user role";
    const blocks = typeof content === "string"
      ? [{ type: "text", text: content }]
      : records(content);
    if (blocks.length === 0) return `messages.${at}: all messages must have non-empty content`;
    if (blocks.some(({ type, text }) => type === "text" && text === "")) {
      return "messages: text content blocks must be non-empty";
    }
    for (const block of blocks) {
      if (block["type"] === "thinking" && block["signature"] !== signature) {
        return `messages.${at}.content: Invalid \`signature\` in \`thinking\` block`;
      }
      if (!BLOCKS.has(block["type"])) return `messages.${at}.content: Input tag '${block["type"]}'`;
      if (block["type"] === "tool_use" && !/^[A-Za-z0-9_-]+$/.test(String(block["id"]))) {
        return `messages.${at}.content: tool_use.id: String should match pattern`;
      }
    }
    const results = blocks.flatMap(({ type, tool_use_id }) =>
      type === "tool_result" ? [tool_use_id] : []
    );
    if (results.length !== asked.length || results.some((id) => !asked.includes(id))) {
      return "messages: `tool_use` ids were found without `tool_result` blocks immediately after";
    }
    asked = blocks.flatMap(({ type, id }) => type === "tool_use" ? [id] : []);
  }
  return checkLast(body, messages);
}

const BLOCKS: ReadonlySet<unknown> = new Set([
  ...["text", "image", "document", "search_result", "thinking", "redacted_thinking"],
  ...["tool_use", "tool_result", "server_tool_use", "web_search_tool_result"],
]);

function checkLast(
  body: Readonly<Record<string, unknown>>,
  messages: readonly Readonly<Record<string, unknown>>[],
): string | null {
  const last = messages.at(-1);
  const text = typeof last?.["content"] === "string"
    ? last["content"]
    : String(records(last?.["content"]).at(-1)?.["text"] ?? "");
  if (last?.["role"] === "assistant" && text !== text.trimEnd()) {
    return "messages: final assistant content cannot end with trailing whitespace";
  }
  const thinking = isRecord(body["thinking"]) ? body["thinking"]["type"] : "disabled";
  const caller = records(messages.at(-2)?.["content"]);
  const goesOn = records(last?.["content"]).some(({ type }) => type === "tool_result");
  const first = caller[0]?.["type"];
  return thinking === "enabled" && goesOn && first !== "thinking" && first !== "redacted_thinking"
    ? "messages: Expected `thinking` or `redacted_thinking`, but found `tool_use`. When `thinking` " +
      "is enabled, a final `assistant` message must start with a thinking block"
    : null;
}

/** "JSON Schema limitations" of structured outputs. */
function checkOutput(body: Readonly<Record<string, unknown>>): string | null {
  const config = isRecord(body["output_config"]) ? body["output_config"] : {};
  const format = isRecord(config["format"]) ? config["format"] : {};
  const schemas = [
    format["schema"],
    ...records(body["tools"]).filter(({ strict }) => strict === true).map((tool) =>
      tool["input_schema"]
    ),
  ];
  for (const schema of schemas.filter(isRecord)) {
    const text = JSON.stringify(schema);
    const limit = /"(minimum|maximum|multipleOf|minLength|maxLength|maxItems|oneOf)":/.exec(text);
    if (limit !== null) {
      return `output_config.format.schema: property '${limit[1]}' is not supported`;
    }
    const objects = text.split('"type":"object"').length;
    if (objects > text.split('"additionalProperties":false').length) {
      return "output_config.format.schema: for 'object' type, 'additionalProperties' must be false";
    }
  }
  return null;
}

const START_USAGE = {
  ...{ input_tokens: USED.input - USED.cached, cache_creation_input_tokens: 0 },
  ...{ cache_read_input_tokens: USED.cached, service_tier: "standard" },
};

/** @param signature with which it signs, and which it takes back */
export const anthropicSays = (said: Said, signature = SIGNATURE): Play => (request, tools) =>
  request.path.endsWith("/count_tokens")
    ? Response.json({ input_tokens: COUNTED })
    : answers(said, signature)(request, tools);

export const COUNTED = 2095;

const answers = (said: Said, signature: string): Play =>
  strictly(
    (body) => checkMessages(body, signature),
    (message) => anthropicError(400, message),
    ({ body }, { gone }) => {
      if (body["stream"] === true) return sse(messagePieces(said, signature), gone);
      return Response.json({
        ...messageOf(said, blocksOf(said, signature)),
        usage: { ...START_USAGE, output_tokens: USED.output },
      }, { headers: { "request-id": "req_up1" } });
    },
  );

function messageOf(said: Said | null, content: unknown[]): Record<string, unknown> {
  const stop_reason = said === null ? null : stopOf(said);
  return {
    ...{ id: "msg_013Zva", type: "message", role: "assistant", model: "claude-up", content },
    ...{ stop_reason, stop_sequence: stop_reason === "stop_sequence" ? "END" : null },
  };
}

function blocksOf(
  { texts = [], thinking, calls = [] }: Said,
  signature: string,
): Record<string, unknown>[] {
  return [
    ...(thinking === undefined ? [] : [{ type: "thinking", thinking, signature }]),
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
export function messagePieces(said: Said, signature = SIGNATURE): Piece[] {
  const message = { ...messageOf(null, []), usage: { ...START_USAGE, output_tokens: 1 } };
  return [
    anthropicEvent("message_start", { message }),
    anthropicEvent("ping", {}),
    ...blocksOf(said, signature).flatMap(blockPieces),
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
        { type: "signature_delta", signature: block["signature"] },
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

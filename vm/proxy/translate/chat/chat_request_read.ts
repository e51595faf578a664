// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * POST /v1/chat/completions, read (platform.openai.com/docs/api-reference/chat/create).
 *
 * Unknown kinds of content are left out, with a note to the model in their place, and so are unknown
 * tools and fields. Each omission is logged: one odd part must not cost the whole session.
 *
 * @module
 */

import { readChatTurns } from "./chat_turns_read.ts";
import type { Conversation, ResponseFormat, Tool, ToolChoice } from "../conversation.ts";
import {
  asArray,
  asBoolean,
  asNumber,
  asObject,
  asOpaqueObject,
  asString,
  field,
  given,
  isAbsent,
  type JsonNode,
  optional,
  refuseKind,
} from "../json_node.ts";
import { leftOutName, type Say } from "../text_parts.ts";
import { readAllowed, withKnownChoice } from "../tool_choice.ts";
import { TranslationError } from "../translation_error.ts";

/** Fields that are read into something of the Conversation. */
const READ: ReadonlySet<string> = new Set([
  "max_completion_tokens",
  "max_tokens",
  "messages",
  "model",
  "parallel_tool_calls",
  "reasoning_effort",
  "response_format",
  "safety_identifier",
  "stop",
  "stream",
  "stream_options",
  "temperature",
  "tool_choice",
  "tools",
  "top_k",
  "top_p",
  "user",
]);

/** @throws {TranslationError} with the path to what cannot be translated */
export function readChatRequest(body: JsonNode): Conversation {
  refuseLegacyFunctions(body);
  const get = (key: string): JsonNode => field(body, key);
  const streamOptions = optional(get("stream_options"), (node) => node);
  const { turns, changes } = readChatTurns(get("messages"));
  const left: string[] = [];
  const say = (change: string): void => void left.push(change);
  return withKnownChoice({
    origin: "chat",
    model: asString(get("model")),
    turns,
    tools: optional(get("tools"), asArray)?.flatMap((tool) => readTool(tool, say)) ?? [],
    ...given("toolChoice", optional(get("tool_choice"), readToolChoice)),
    ...given("parallelToolCalls", optional(get("parallel_tool_calls"), asBoolean)),
    ...given(
      "maxTokens",
      optional(get("max_completion_tokens"), asNumber) ?? optional(get("max_tokens"), asNumber),
    ),
    ...given("temperature", optional(get("temperature"), asNumber)),
    ...given("topP", optional(get("top_p"), asNumber)),
    ...given("topK", optional(get("top_k"), asNumber)),
    stop: optional(get("stop"), readStop) ?? [],
    ...given("thinking", optional(get("reasoning_effort"), readEffort)),
    ...given("format", optional(get("response_format"), readFormat)),
    ...given(
      "userId",
      optional(get("safety_identifier"), asString) ?? optional(get("user"), asString),
    ),
    stream: optional(get("stream"), asBoolean) ?? false,
    includeUsage: streamOptions !== undefined &&
      optional(field(streamOptions, "include_usage"), asBoolean) === true,
    extras: Object.fromEntries(
      Object.entries(asObject(body)).filter(([key, value]) => !READ.has(key) && value !== null),
    ),
    changes: [...changes, ...new Set(left)],
  });
}

/** Answers to these would need "function_call", which no writer here produces. */
function refuseLegacyFunctions(body: JsonNode): void {
  for (const key of ["functions", "function_call"]) {
    const legacy = field(body, key);
    if (!isAbsent(legacy)) {
      throw new TranslationError(legacy.path, "is no longer known", 'use "tools", "tool_choice"');
    }
  }
}

function readTool(node: JsonNode, say: Say): Tool[] {
  const type = field(node, "type");
  if (asString(type) !== "function") {
    say(`tool ${leftOutName(type.value)} left out`);
    return [];
  }
  const called = field(node, "function");
  return [{
    name: asString(field(called, "name")),
    ...given("description", optional(field(called, "description"), asString)),
    schema: optional(field(called, "parameters"), asOpaqueObject) ?? NO_PARAMETERS,
    ...given("strict", optional(field(called, "strict"), asBoolean)),
    ...given("cache", optional(field(node, "cache_control"), asOpaqueObject)),
  }];
}

/** What a tool without parameters takes. */
export const NO_PARAMETERS: Readonly<Record<string, unknown>> = { type: "object", properties: {} };

function readToolChoice(node: JsonNode): ToolChoice {
  if (node.value === "auto" || node.value === "none" || node.value === "required") {
    return { kind: node.value };
  }
  if (typeof node.value === "string") {
    return refuseKind(node, "the choice", '"auto", "none", "required" or a function');
  }
  switch (asString(field(node, "type"))) {
    case "function":
      return { kind: "named", name: asString(field(field(node, "function"), "name")) };
    case "allowed_tools": {
      const allowed = field(node, "allowed_tools");
      return readAllowed(field(allowed, "mode"), field(allowed, "tools"));
    }
    default: // a tool of another kind, which is left out
      return { kind: "auto" };
  }
}

function readStop(node: JsonNode): string[] {
  return typeof node.value === "string" ? [node.value] : asArray(node).map(asString);
}

function readEffort(node: JsonNode): Conversation["thinking"] & object {
  const effort = asString(node);
  return effort === "none" ? { kind: "off" } : { kind: "effort", effort };
}

function readFormat(node: JsonNode): ResponseFormat | undefined {
  const type = field(node, "type");
  switch (asString(type)) {
    case "text":
      return undefined;
    case "json_object":
      return { kind: "json_object" };
    case "json_schema":
      return readJsonSchema(field(node, "json_schema"));
    default:
      return refuseKind(type, "a format of type", '"text", "json_object" or "json_schema"');
  }
}

/** {"name","schema","strict"}: the same in chat completions and in responses. */
export function readJsonSchema(node: JsonNode): ResponseFormat {
  return {
    kind: "json_schema",
    name: asString(field(node, "name")),
    schema: optional(field(node, "schema"), asOpaqueObject) ?? {},
    ...given("strict", optional(field(node, "strict"), asBoolean)),
  };
}

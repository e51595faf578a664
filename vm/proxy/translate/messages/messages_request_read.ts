// SPDX-License-Identifier: GPL-2.0-or-later
/** POST /v1/messages, read (platform.claude.com/docs/en/api/messages/create). @module */

import type {
  Conversation,
  ResponseFormat,
  Thinking,
  Tool,
  ToolChoice,
  Turn,
} from "../conversation.ts";
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
import { isStrict } from "../fit/fit_schema.ts";
import { readMessageTurns, readTextBlocks } from "./messages_turns_read.ts";
import { leftOutName, type Say } from "../text_parts.ts";
import { withKnownChoice } from "../tool_choice.ts";

/** Fields that are read into something of the Conversation. */
const READ: ReadonlySet<string> = new Set([
  "cache_control", // of all of it: marks, no content
  "max_tokens",
  "messages",
  "metadata",
  "model",
  "output_config",
  "stop_sequences",
  "stream",
  "system",
  "temperature",
  "thinking",
  "tool_choice",
  "tools",
  "top_k",
  "top_p",
]);

/** @throws {TranslationError} with the path to what cannot be translated */
export function readMessagesRequest(body: JsonNode): Conversation {
  const get = (key: string): JsonNode => field(body, key);
  const config = optional(get("output_config"), (node) => node);
  const metadata = optional(get("metadata"), (node) => node);
  const effort = config && optional(field(config, "effort"), asString);
  const choice = optional(get("tool_choice"), (node) => node);
  const oneAtATime = choice && optional(field(choice, "disable_parallel_tool_use"), asBoolean);
  const changes: string[] = [];
  const say = (change: string): void => void changes.push(change);
  const system = isAbsent(get("system")) ? [] : readTextBlocks(get("system"), say);
  const systemTurn: Turn[] = system.length === 0 ? [] : [{ role: "system", parts: system }];
  const read = {
    origin: "messages" as const,
    model: asString(get("model")),
    turns: [...systemTurn, ...readMessageTurns(get("messages"), say)],
    tools: optional(get("tools"), asArray)?.flatMap((tool) => readTool(tool, say)) ?? [],
    ...given("toolChoice", choice && readToolChoice(choice)),
    ...given("parallelToolCalls", oneAtATime === undefined ? undefined : !oneAtATime),
    ...given("maxTokens", optional(get("max_tokens"), asNumber)),
    ...given("temperature", optional(get("temperature"), asNumber)),
    ...given("topP", optional(get("top_p"), asNumber)),
    ...given("topK", optional(get("top_k"), asNumber)),
    stop: optional(get("stop_sequences"), asArray)?.map(asString) ?? [],
    ...given("thinking", readThinking(get("thinking"), effort)),
    ...given("format", config && optional(field(config, "format"), readFormat)),
    ...given("userId", metadata && optional(field(metadata, "user_id"), asString)),
    stream: optional(get("stream"), asBoolean) ?? false,
    includeUsage: true,
    extras: {},
  };
  const unread = Object.entries(asObject(body))
    .filter(([key, value]) => !READ.has(key) && value !== null)
    .map(([key]) => `${key.slice(0, 40)} left out`);
  return withKnownChoice({ ...read, changes: [...unread, ...new Set(changes)] });
}

/** Tools that Anthropic defines or runs itself do not exist elsewhere. */
function readTool(node: JsonNode, say: Say): Tool[] {
  const type = field(node, "type");
  if (!isAbsent(type) && asString(type) !== "custom") {
    say(`tool ${leftOutName(type.value)} left out`);
    return [];
  }
  return [{
    name: asString(field(node, "name")),
    ...given("description", optional(field(node, "description"), asString)),
    schema: asOpaqueObject(field(node, "input_schema")),
    ...given("strict", optional(field(node, "strict"), asBoolean)),
    ...given("cache", optional(field(node, "cache_control"), asOpaqueObject)),
  }];
}

function readToolChoice(node: JsonNode): ToolChoice {
  const type = field(node, "type");
  switch (asString(type)) {
    case "auto":
      return { kind: "auto" };
    case "none":
      return { kind: "none" };
    case "any":
      return { kind: "required" };
    case "tool":
      return { kind: "named", name: asString(field(node, "name")) };
    default:
      return refuseKind(type, "a choice of type", '"auto", "any", "tool" or "none"');
  }
}

function readThinking(node: JsonNode, effort: string | undefined): Thinking | undefined {
  if (isAbsent(node)) return effort === undefined ? undefined : { kind: "effort", effort };
  const type = field(node, "type");
  switch (asString(type)) {
    case "enabled":
      return { kind: "budget", tokens: asNumber(field(node, "budget_tokens")) };
    case "adaptive":
      return { kind: "adaptive", ...given("effort", effort) };
    case "disabled":
      return { kind: "off" };
    default:
      return refuseKind(type, "thinking of type", '"enabled", "adaptive" or "disabled"');
  }
}

function readFormat(node: JsonNode): ResponseFormat {
  const type = field(node, "type");
  if (asString(type) !== "json_schema") refuseKind(type, "a format of type", '"json_schema"');
  // OpenAI requires a name, which Anthropic's format lacks; and its strict mode is stricter.
  const schema = asOpaqueObject(field(node, "schema"));
  return { kind: "json_schema", name: "answer", schema, strict: isStrict(schema) };
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** POST /v1/responses, read (platform.openai.com/docs/api-reference/responses/create). @module */

import { readJsonSchema } from "../chat/chat_request_read.ts";
import type { Conversation, ResponseFormat, Thinking, ToolChoice } from "../conversation.ts";
import {
  asBoolean,
  asNumber,
  asObject,
  asString,
  field,
  given,
  isAbsent,
  type JsonNode,
  optional,
  refuseKind,
} from "../json_node.ts";
import { readAllTools } from "./responses_tools.ts";
import { readResponseTurns } from "./responses_turns_read.ts";
import { readAllowed, withKnownChoice } from "../tool_choice.ts";
import { TranslationError } from "../translation_error.ts";

/** Fields that are read, and those that need no translation. */
const READ: ReadonlySet<string> = new Set([
  "include",
  "input",
  "instructions",
  "max_output_tokens",
  "model",
  "parallel_tool_calls",
  "reasoning",
  "safety_identifier",
  "store",
  "stream",
  "stream_options",
  "temperature",
  "text",
  "tool_choice",
  "tools",
  "top_p",
  "truncation",
  "user",
]);

/** Fields that chat completions have, too, under the same name. */
const EXTRAS: ReadonlySet<string> = new Set([
  "metadata",
  "prompt_cache_key",
  "prompt_cache_retention",
  "service_tier",
  "top_logprobs",
]);

/** @throws {TranslationError} with the path to what cannot be translated */
export function readResponsesRequest(body: JsonNode): Conversation {
  refuseState(body);
  const get = (key: string): JsonNode => field(body, key);
  const text = optional(get("text"), (node) => node);
  const reasoning = optional(get("reasoning"), (node) => node);
  const instructions = optional(get("instructions"), asString) ?? "";
  const { turns, changes } = readResponseTurns(get("input"));
  const left: string[] = [];
  const say = (change: string): void => void left.push(change);
  const others = Object.entries(asObject(body)).filter(([key, value]) =>
    !READ.has(key) && value !== null
  );
  return withKnownChoice({
    origin: "responses",
    model: asString(get("model")),
    turns: instructions === ""
      ? turns
      : [{ role: "system", parts: [{ kind: "text", text: instructions }] }, ...turns],
    tools: readAllTools(get("tools"), get("input"), say),
    ...given("toolChoice", optional(get("tool_choice"), readToolChoice)),
    ...given("parallelToolCalls", optional(get("parallel_tool_calls"), asBoolean)),
    ...given("maxTokens", optional(get("max_output_tokens"), asNumber)),
    ...given("temperature", optional(get("temperature"), asNumber)),
    ...given("topP", optional(get("top_p"), asNumber)),
    stop: [],
    ...given("thinking", reasoning && optional(field(reasoning, "effort"), readEffort)),
    ...given("format", text && optional(field(text, "format"), readFormat)),
    ...given(
      "userId",
      optional(get("safety_identifier"), asString) ?? optional(get("user"), asString),
    ),
    stream: optional(get("stream"), asBoolean) ?? false,
    includeUsage: true,
    extras: {
      ...Object.fromEntries(others.filter(([key]) => EXTRAS.has(key))),
      ...given("verbosity", text && optional(field(text, "verbosity"), asString)),
    },
    changes: [
      ...changes,
      ...new Set(left),
      ...others.filter(([key]) => !EXTRAS.has(key)).map(([key]) => `${key.slice(0, 40)} left out`),
    ],
  });
}

/** References that could not be resolved from the proxy's own memory. */
function refuseState(body: JsonNode): void {
  const fixes: readonly (readonly [key: string, fix: string])[] = [
    ["previous_response_id", 'send the whole conversation in "input"'],
    ["conversation", 'send the whole conversation in "input"'],
    ["prompt", 'send the text of the prompt in "instructions"'],
  ];
  for (const [key, fix] of fixes) {
    const node = field(body, key);
    if (!isAbsent(node)) {
      throw new TranslationError(node.path, "refers to what is kept elsewhere", fix);
    }
  }
  if (field(body, "background").value === true) {
    throw new TranslationError(`${body.path}.background`, "is true", "leave it out and wait");
  }
}

function readToolChoice(node: JsonNode): ToolChoice {
  if (node.value === "auto" || node.value === "none" || node.value === "required") {
    return { kind: node.value };
  }
  if (typeof node.value === "string") {
    return refuseKind(node, "the choice", '"auto", "none", "required" or a function');
  }
  switch (asString(field(node, "type"))) {
    case "function":
    case "custom":
      return { kind: "named", name: asString(field(node, "name")) };
    case "local_shell":
      return { kind: "named", name: "local_shell" };
    case "allowed_tools":
      return readAllowed(field(node, "mode"), field(node, "tools"));
    default: // a tool of another kind, which is left out
      return { kind: "auto" };
  }
}

function readEffort(node: JsonNode): Thinking {
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
    case "json_schema": // flat here, while chat completions put it into an object
      return readJsonSchema(node);
    default:
      return refuseKind(type, "a format of type", '"text", "json_object" or "json_schema"');
  }
}

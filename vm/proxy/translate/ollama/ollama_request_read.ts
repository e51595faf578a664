// SPDX-License-Identifier: GPL-2.0-or-later
/** POST /api/chat of Ollama, read (docs.ollama.com/api/chat). @module */

import { NO_PARAMETERS } from "../chat/chat_request_read.ts";
import type { Conversation, ResponseFormat, Thinking, Tool } from "../conversation.ts";
import {
  asArray,
  asBoolean,
  asNumber,
  asObject,
  asOpaqueObject,
  asString,
  field,
  given,
  type JsonNode,
  optional,
} from "../json_node.ts";
import { readOllamaTurns } from "./ollama_turns_read.ts";
import { TranslationError } from "../translation_error.ts";

const READ: ReadonlySet<string> = new Set(["format", "messages", "model", "options", "stream"])
  .union(new Set(["think", "tools"]));

/** Options with a field in the Conversation; EXTRAS are those of chat completions. */
const OPTIONS: ReadonlySet<string> = new Set(["num_predict", "stop", "temperature", "top_k"])
  .union(new Set(["top_p"]));
const EXTRAS = ["frequency_penalty", "presence_penalty", "seed"] as const;

/** @throws {TranslationError} with the path to what cannot be translated */
export function readOllamaRequest(body: JsonNode): Conversation {
  const get = (key: string): JsonNode => field(body, key);
  const options = optional(get("options"), (node) => node) ?? { value: {}, path: "body.options" };
  const option = <T>(key: string, read: (node: JsonNode) => T) =>
    optional(field(options, key), read);
  const limit = option("num_predict", asNumber);
  const left: string[] = [];
  return {
    origin: "ollama",
    model: asString(get("model")),
    turns: readOllamaTurns(get("messages"), (change) => left.push(change)),
    tools: optional(get("tools"), asArray)?.map(readTool) ?? [],
    ...given("maxTokens", limit !== undefined && limit > 0 ? limit : undefined), // -1: no limit
    ...given("temperature", option("temperature", asNumber)),
    ...given("topP", option("top_p", asNumber)),
    ...given("topK", option("top_k", asNumber)),
    stop: option("stop", readStop) ?? [],
    ...given("thinking", optional(get("think"), readThink)),
    ...given("format", optional(get("format"), readFormat)),
    stream: optional(get("stream"), asBoolean) ?? true,
    includeUsage: true,
    extras: Object.fromEntries(
      EXTRAS.flatMap((key) => {
        const value = option(key, asNumber);
        return value === undefined ? [] : [[key, value]];
      }),
    ),
    changes: [
      ...new Set(left),
      ...[
        ...Object.keys(asObject(body)).filter((key) => !READ.has(key)),
        ...Object.keys(asObject(options))
          .filter((key) => !OPTIONS.has(key) && !EXTRAS.some((extra) => extra === key)),
      ].map((key) => `${key.slice(0, 40)} left out`),
    ],
  };
}

function readTool(node: JsonNode): Tool {
  const called = field(node, "function");
  return {
    name: asString(field(called, "name")),
    ...given("description", optional(field(called, "description"), asString)),
    schema: optional(field(called, "parameters"), asOpaqueObject) ?? NO_PARAMETERS,
  };
}

const readStop = (node: JsonNode): string[] =>
  typeof node.value === "string" ? [node.value] : asArray(node).map(asString);

/** true, false, or how much. */
function readThink(node: JsonNode): Thinking {
  if (node.value === false) return { kind: "off" };
  return { kind: "effort", effort: node.value === true ? "medium" : asString(node) };
}

/** "json", or a schema. */
function readFormat(node: JsonNode): ResponseFormat | undefined {
  if (node.value === "") return undefined;
  if (node.value === "json") return { kind: "json_object" };
  if (typeof node.value === "string") {
    throw new TranslationError(node.path, "is no known format", 'give "json" or a JSON Schema');
  }
  return { kind: "json_schema", name: "answer", schema: asOpaqueObject(node) };
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** Parts of a turn that all formats read alike. @module */

import type { TextPart, ToolCallPart, UserPart } from "./conversation.ts";
import { asOpaqueObject, asString, field, given, type JsonNode, optional } from "./json_node.ts";
import { TranslationError } from "./translation_error.ts";

/** "" is no part: providers refuse empty texts. */
export const textPart = (text: string, cache: Pick<TextPart, "cache"> = {}): TextPart[] =>
  text === "" ? [] : [{ kind: "text", text, ...cache }];

/** The mark for Anthropic's cache; in chat completions some clients send it, too. */
export const readCache = (part: JsonNode): Pick<TextPart, "cache"> =>
  given("cache", optional(field(part, "cache_control"), asOpaqueObject));

/** @throws {TranslationError} if one of the parts is an image */
export function onlyTexts(parts: readonly UserPart[], content: JsonNode): TextPart[] {
  return parts.map((part) => {
    if (part.kind === "text") return part;
    throw new TranslationError(content.path, "holds an image", "put images into a user message");
  });
}

/** Anthropic's block of a tool call, in a request and in an answer. */
export function readToolUse(block: JsonNode): ToolCallPart {
  return {
    kind: "tool_call",
    id: asString(field(block, "id")),
    name: asString(field(block, "name")),
    arguments: JSON.stringify(asOpaqueObject(field(block, "input"))),
  };
}

/** A model may write broken JSON, and clients of Anthropic's API and Ollama's take only objects. */
export function inputOf(text: string): unknown {
  if (text.trim() === "") return {};
  try {
    const input: unknown = JSON.parse(text);
    if (typeof input === "object" && input !== null && !Array.isArray(input)) return input;
  } catch {
    // below
  }
  return { INVALID_JSON: text }; // the tool refuses it, and the model reads why
}

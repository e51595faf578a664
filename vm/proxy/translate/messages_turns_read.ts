// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The messages of a messages request, read. A user message may hold results of tools and words
 * of the user; they become turns of their own, the results first, as chat completions want it.
 *
 * @module
 */

import type { AssistantPart, TextPart, ToolTurn, Turn, UserPart } from "./conversation.ts";
import { readImageSource } from "./image.ts";
import {
  asArray,
  asBoolean,
  asString,
  field,
  isAbsent,
  type JsonNode,
  optional,
  refuseKind,
} from "./json_node.ts";
import { readCache, readToolUse, textPart } from "./text_parts.ts";

/** @throws {TranslationError} for a role or a kind of content that is not known */
export function readMessageTurns(messages: JsonNode): Turn[] {
  return asArray(messages).flatMap((message): Turn[] => {
    const role = field(message, "role");
    const content = field(message, "content");
    switch (asString(role)) {
      case "user":
        return readUserTurns(content);
      case "assistant":
        return [{ role: "assistant", parts: blocksOf(content).flatMap(readAssistantBlock) }];
      case "system": // in the middle, as newer models allow
        return [{ role: "system", parts: readTextBlocks(content) }];
      default:
        return refuseKind(role, "the role", '"user" or "assistant"');
    }
  });
}

/** A string, or text blocks. */
export function readTextBlocks(content: JsonNode): TextPart[] {
  return blocksOf(content).flatMap((block) => {
    const type = field(block, "type");
    return asString(type) === "text"
      ? readText(block)
      : refuseKind(type, "content of type", '"text"');
  });
}

/** A string is one text block. */
function blocksOf(content: JsonNode): JsonNode[] {
  if (typeof content.value !== "string") return asArray(content);
  return [{ value: { type: "text", text: content.value }, path: content.path }];
}

function readUserTurns(content: JsonNode): Turn[] {
  const results: ToolTurn[] = [];
  const parts: UserPart[] = [];
  const blocks = blocksOf(content);
  for (const block of blocks) {
    if (field(block, "type").value === "tool_result") results.push(readResult(block));
    else parts.push(...readUserBlock(block));
  }
  const isAllResults = blocks.length > 0 && results.length === blocks.length;
  return isAllResults ? results : [...results, { role: "user", parts }];
}

function readResult(block: JsonNode): ToolTurn {
  const content = field(block, "content");
  return {
    role: "tool",
    callId: asString(field(block, "tool_use_id")),
    parts: isAbsent(content) ? [] : blocksOf(content).flatMap(readUserBlock),
    isError: optional(field(block, "is_error"), asBoolean) ?? false,
  };
}

function readUserBlock(block: JsonNode): UserPart[] {
  const type = field(block, "type");
  switch (asString(type)) {
    case "text":
      return readText(block);
    case "image":
      return [{
        kind: "image",
        source: readImageSource(field(block, "source")),
        ...readCache(block),
      }];
    default:
      return refuseKind(type, "content of type", '"text", "image" or "tool_result"');
  }
}

function readAssistantBlock(block: JsonNode): AssistantPart[] {
  const type = field(block, "type");
  switch (asString(type)) {
    case "text":
      return readText(block);
    case "tool_use":
      return [readToolUse(block)];
    case "thinking":
      return [{
        kind: "thinking",
        text: asString(field(block, "thinking")),
        signature: optional(field(block, "signature"), asString) ?? "",
      }];
    case "redacted_thinking":
      return [{ kind: "redacted", data: asString(field(block, "data")) }];
    default:
      return refuseKind(type, "content of type", '"text", "tool_use" or "thinking"');
  }
}

const readText = (block: JsonNode): TextPart[] =>
  textPart(asString(field(block, "text")), readCache(block));

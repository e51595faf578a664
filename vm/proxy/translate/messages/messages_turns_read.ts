// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The messages of a messages request, read. A user message may hold results of tools and words
 * of the user; they become turns of their own, the results first, as chat completions want it.
 *
 * @module
 */

import type {
  AssistantPart,
  SignedExtra,
  TextPart,
  ThinkingPart,
  ToolTurn,
  Turn,
  UserPart,
} from "../conversation.ts";
import { readDocumentBlock } from "../document.ts";
import { readImageSource } from "../image.ts";
import {
  asArray,
  asBoolean,
  asString,
  field,
  given,
  isAbsent,
  type JsonNode,
  optional,
  refuseKind,
} from "../json_node.ts";
import { unseal, unsealExtra } from "../provenance.ts";
import {
  leftOut,
  leftOutName,
  onlyTexts,
  readCache,
  readToolUse,
  type Say,
  textPart,
} from "../text_parts.ts";

/** @throws {TranslationError} for malformed messages; unknown kinds of content are left out */
export function readMessageTurns(messages: JsonNode, say: Say): Turn[] {
  return asArray(messages).flatMap((message): Turn[] => {
    const role = field(message, "role");
    const content = field(message, "content");
    switch (asString(role)) {
      case "user":
        return readUserTurns(content, say);
      case "assistant":
        return [{ role: "assistant", parts: readAssistantBlocks(blocksOf(content), say) }];
      case "system": // in the middle, as newer models allow
        return [{ role: "system", parts: readTextBlocks(content, say) }];
      default:
        return refuseKind(role, "the role", '"user" or "assistant"');
    }
  });
}

/** A string, or text blocks. */
export const readTextBlocks = (content: JsonNode, say: Say): TextPart[] =>
  onlyTexts(blocksOf(content).flatMap((block) => readUserBlock(block, say)), say);

/** A string is one text block. */
function blocksOf(content: JsonNode): JsonNode[] {
  if (typeof content.value !== "string") return asArray(content);
  return [{ value: { type: "text", text: content.value }, path: content.path }];
}

function readUserTurns(content: JsonNode, say: Say): Turn[] {
  const results: ToolTurn[] = [];
  const parts: UserPart[] = [];
  const blocks = blocksOf(content);
  for (const block of blocks) {
    if (field(block, "type").value === "tool_result") results.push(readResult(block, say));
    else parts.push(...readUserBlock(block, say));
  }
  const isAllResults = blocks.length > 0 && results.length === blocks.length;
  return isAllResults ? results : [...results, { role: "user", parts }];
}

function readResult(block: JsonNode, say: Say): ToolTurn {
  const content = field(block, "content");
  return {
    role: "tool",
    callId: asString(field(block, "tool_use_id")),
    parts: isAbsent(content) ? [] : blocksOf(content).flatMap((inner) => readUserBlock(inner, say)),
    isError: optional(field(block, "is_error"), asBoolean) ?? false,
  };
}

function readUserBlock(block: JsonNode, say: Say): UserPart[] {
  const type = field(block, "type");
  switch (asString(type)) {
    case "text":
      return readText(block);
    case "image": {
      const source = readImageSource(field(block, "source"));
      if (source === undefined) return [leftOut("image", say)];
      return [{ kind: "image", source, ...readCache(block) }];
    }
    case "document":
      return [readDocumentBlock(block) ?? leftOut("document", say)];
    case "search_result": {
      const title = optional(field(block, "title"), asString) ?? "";
      return [...textPart(title), ...readTextBlocks(field(block, "content"), say)];
    }
    default:
      return [leftOut(type.value, say)];
  }
}

function readAssistantBlocks(blocks: readonly JsonNode[], say: Say): AssistantPart[] {
  const extras = new Map<string, SignedExtra>();
  return blocks.flatMap((block): AssistantPart[] => {
    const type = field(block, "type");
    switch (asString(type)) {
      case "text":
        return readText(block);
      case "tool_use": {
        const call = readToolUse(block);
        return [{ ...call, ...given("extra", extras.get(call.id)) }];
      }
      case "thinking":
        return [readThinking(block)];
      case "redacted_thinking": {
        const data = asString(field(block, "data"));
        const extra = unsealExtra(data);
        if (extra === undefined) return [{ kind: "redacted", data }];
        extras.set(extra.callId, extra);
        return [];
      }
      default: // from Anthropic's server tools; no note, because the model would imitate it
        say(`${leftOutName(type.value)} left out`);
        return [];
    }
  });
}

function readThinking(block: JsonNode): ThinkingPart {
  const signature = optional(field(block, "signature"), asString) ?? "";
  const text = asString(field(block, "thinking"));
  const sealed = unseal(signature);
  if (sealed === undefined) return { kind: "thinking", text, signature };
  return { kind: "thinking", text, signature: sealed.payload, maker: sealed.maker };
}

const readText = (block: JsonNode): TextPart[] =>
  textPart(asString(field(block, "text")), readCache(block));

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The input of a responses request, read. Calls of tools are items of their own there; those
 * behind one another, and behind the assistant's words, are one turn elsewhere.
 *
 * @module
 */

import { type ReadTurns, requireJsonObject } from "./chat_turns_read.ts";
import type { AssistantPart, TextPart, Turn, UserPart } from "./conversation.ts";
import { readImageUrl } from "./image.ts";
import {
  asArray,
  asString,
  field,
  given,
  isAbsent,
  type JsonNode,
  optional,
  refuseKind,
} from "./json_node.ts";
import { onlyTexts, textPart } from "./text_parts.ts";
import { TranslationError } from "./translation_error.ts";

/** @throws {TranslationError} for an item or a kind of content that is not known */
export function readResponseTurns(input: JsonNode): ReadTurns {
  if (typeof input.value === "string") {
    return { turns: [{ role: "user", parts: textPart(input.value) }], changes: [] };
  }
  const turns: Turn[] = [];
  const changes: string[] = [];
  for (const item of asArray(input)) {
    const turn = readItem(item);
    if (turn === undefined) {
      changes.push("reasoning of earlier turns left out");
      continue;
    }
    const last = turns.at(-1);
    if (turn.role === "assistant" && last?.role === "assistant") {
      turns[turns.length - 1] = { role: "assistant", parts: [...last.parts, ...turn.parts] };
    } else turns.push(turn);
  }
  return { turns, changes };
}

/** @returns undefined for reasoning, which only the provider that made it can read */
function readItem(item: JsonNode): Turn | undefined {
  const type = field(item, "type");
  switch (isAbsent(type) ? "message" : asString(type)) {
    case "message":
      return readMessage(item);
    case "function_call":
      return { role: "assistant", parts: [readCall(item)] };
    case "function_call_output": {
      const parts = readParts(field(item, "output"));
      return { role: "tool", callId: asString(field(item, "call_id")), parts, isError: false };
    }
    case "reasoning":
      return undefined;
    default:
      return refuseKind(type, "an item of type", '"message", "function_call" or its output');
  }
}

function readCall(item: JsonNode): AssistantPart {
  const node = field(item, "arguments");
  const text = optional(node, asString) ?? "";
  requireJsonObject(text, node.path);
  const id = asString(field(item, "call_id"));
  return { kind: "tool_call", id, name: asString(field(item, "name")), arguments: text };
}

function readMessage(item: JsonNode): Turn {
  const role = field(item, "role");
  const content = field(item, "content");
  switch (asString(role)) {
    case "system":
    case "developer":
      return { role: "system", parts: readTexts(content) };
    case "user":
      return { role: "user", parts: readParts(content) };
    case "assistant":
      return { role: "assistant", parts: readTexts(content) };
    default:
      return refuseKind(role, "the role", '"system", "developer", "user" or "assistant"');
  }
}

function readParts(content: JsonNode): UserPart[] {
  if (typeof content.value === "string") return textPart(content.value);
  return asArray(content).flatMap((part): UserPart[] => {
    const type = field(part, "type");
    switch (asString(type)) {
      case "input_text":
      case "output_text":
        return textPart(asString(field(part, "text")));
      case "refusal":
        return textPart(asString(field(part, "refusal")));
      case "input_image": {
        if (isAbsent(field(part, "image_url"))) {
          throw new TranslationError(`${part.path}.image_url`, "is missing", "give no file_id");
        }
        const detail = optional(field(part, "detail"), asString);
        const source = readImageUrl(field(part, "image_url"));
        return [{ kind: "image", source, ...given("detail", detail) }];
      }
      default:
        return refuseKind(type, "content of type", '"input_text" or "input_image"');
    }
  });
}

const readTexts = (content: JsonNode): TextPart[] => onlyTexts(readParts(content), content);

// SPDX-License-Identifier: GPL-2.0-or-later
/** The messages of a chat completions request, read. @module */

import type { AssistantPart, TextPart, Turn, UserPart } from "./conversation.ts";
import { readImageUrl } from "./image.ts";
import {
  asArray,
  asOpaqueObject,
  asString,
  field,
  given,
  isAbsent,
  type JsonNode,
  optional,
  refuseKind,
} from "./json_node.ts";
import { onlyTexts, readCache, textPart } from "./text_parts.ts";
import { TranslationError } from "./translation_error.ts";

export interface ReadTurns {
  readonly turns: readonly Turn[];
  readonly changes: readonly string[];
}

/** @throws {TranslationError} for a role or a kind of content that is not known */
export function readChatTurns(messages: JsonNode): ReadTurns {
  const legacyIds = createLegacyIds();
  const turns = asArray(messages).map((message) => readMessage(message, legacyIds));
  const changes = asArray(messages).flatMap((message) =>
    ["name", "audio", "annotations"].filter((key) =>
      !isAbsent(field(message, key)) && field(message, "role").value !== "function"
    )
  ).map((key) => `messages: ${key} left out`);
  return { turns, changes: [...new Set(changes)] };
}

function readMessage(message: JsonNode, legacyIds: LegacyIds): Turn {
  const role = field(message, "role");
  const content = field(message, "content");
  switch (asString(role)) {
    case "system":
    case "developer":
      return { role: "system", parts: readTexts(content) };
    case "user":
      return { role: "user", parts: readParts(content) };
    case "assistant":
      return { role: "assistant", parts: readAssistant(message, legacyIds) };
    case "tool": {
      const callId = asString(field(message, "tool_call_id"));
      return { role: "tool", callId, parts: readParts(content), isError: false };
    }
    case "function": {
      const callId = legacyIds.answer(field(message, "name"));
      return { role: "tool", callId, parts: readParts(content), isError: false };
    }
    default:
      return refuseKind(role, "the role", '"system", "developer", "user", "assistant" or "tool"');
  }
}

/** Null and "" are no part. */
function readParts(content: JsonNode): UserPart[] {
  if (isAbsent(content)) return [];
  if (typeof content.value === "string") return textPart(content.value);
  return asArray(content).flatMap((part): UserPart[] => {
    const type = field(part, "type");
    switch (asString(type)) {
      case "text":
        return textPart(asString(field(part, "text")), readCache(part));
      case "image_url": {
        const image = field(part, "image_url");
        const detail = optional(field(image, "detail"), asString);
        const source = readImageUrl(field(image, "url"));
        return [{ kind: "image", source, ...given("detail", detail), ...readCache(part) }];
      }
      default:
        return refuseKind(type, "content of type", '"text" or "image_url"');
    }
  });
}

const readTexts = (content: JsonNode): TextPart[] => onlyTexts(readParts(content), content);

function readAssistant(message: JsonNode, legacyIds: LegacyIds): AssistantPart[] {
  const thought = optional(field(message, "reasoning_content"), asString) ?? "";
  const refusal = optional(field(message, "refusal"), asString) ?? "";
  const calls = optional(field(message, "tool_calls"), asArray) ?? [];
  const legacy = field(message, "function_call");
  return [
    ...(thought === "" ? [] : [{ kind: "thinking", text: thought, signature: "" } as const]),
    ...readAssistantText(field(message, "content")),
    ...textPart(refusal),
    ...calls.map(readToolCall),
    ...(isAbsent(legacy) ? [] : [readCalled(legacy, legacyIds.call(field(legacy, "name")))]),
  ];
}

function readAssistantText(content: JsonNode): TextPart[] {
  if (isAbsent(content) || typeof content.value === "string") return readTexts(content);
  return asArray(content).flatMap((part) => {
    const type = field(part, "type");
    switch (asString(type)) {
      case "text":
        return textPart(asString(field(part, "text")), readCache(part));
      case "refusal":
        return textPart(asString(field(part, "refusal")));
      default:
        return refuseKind(type, "content of type", '"text" or "refusal"');
    }
  });
}

function readToolCall(call: JsonNode): AssistantPart {
  const type = field(call, "type");
  if (!isAbsent(type) && asString(type) !== "function") {
    refuseKind(type, "a tool call of type", '"function"');
  }
  return readCalled(field(call, "function"), asString(field(call, "id")));
}

function readCalled(called: JsonNode, id: string): AssistantPart {
  const node = field(called, "arguments");
  const text = optional(node, asString) ?? "";
  requireJsonObject(text, node.path);
  return { kind: "tool_call", id, name: asString(field(called, "name")), arguments: text };
}

/** "" stands for no arguments. @throws {TranslationError} if it is no JSON object */
export function requireJsonObject(text: string, path: string): void {
  if (text.trim() === "") return;
  try {
    const parsed: unknown = JSON.parse(text);
    asOpaqueObject({ value: parsed, path });
  } catch {
    throw new TranslationError(path, "is not the text of a JSON object", "send one as a string");
  }
}

interface LegacyIds {
  call(name: JsonNode): string;
  answer(name: JsonNode): string;
}

/** Before "tools" there were no ids: a result belongs to the last call of its function. */
function createLegacyIds(): LegacyIds {
  const open = new Map<string, string>();
  let count = 0;
  return {
    call(name) {
      const id = `function${++count}`;
      open.set(asString(name), id);
      return id;
    },
    answer(name) {
      const id = open.get(asString(name));
      if (id === undefined) {
        throw new TranslationError(name.path, "was not called before", "send the call, too");
      }
      return id;
    },
  };
}

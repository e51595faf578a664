// SPDX-License-Identifier: GPL-2.0-or-later
/** The messages of a chat completions request, read. @module */

import type { AssistantPart, TextPart, ToolCallPart, Turn, UserPart } from "../conversation.ts";
import { readChatFile } from "../document.ts";
import { readImageUrl } from "../image.ts";
import {
  asArray,
  asString,
  field,
  given,
  isAbsent,
  type JsonNode,
  optional,
  refuseKind,
} from "../json_node.ts";
import { repairedArguments } from "../fit/repair_json.ts";
import { leftOut, leftOutName, onlyTexts, readCache, type Say, textPart } from "../text_parts.ts";
import { TranslationError } from "../translation_error.ts";

export interface ReadTurns {
  readonly turns: readonly Turn[];
  readonly changes: readonly string[];
}

/** @throws {TranslationError} for malformed messages; unknown kinds of content are left out */
export function readChatTurns(messages: JsonNode): ReadTurns {
  const changes: string[] = [];
  const reader = { legacyIds: createLegacyIds(), say: (change: string) => changes.push(change) };
  const turns = asArray(messages).map((message) => readMessage(message, reader));
  const fields = asArray(messages).flatMap((message) =>
    ["name", "audio", "annotations"].filter((key) =>
      !isAbsent(field(message, key)) && field(message, "role").value !== "function"
    )
  ).map((key) => `messages: ${key} left out`);
  return { turns, changes: [...new Set([...changes, ...fields])] };
}

interface Reader {
  readonly legacyIds: LegacyIds;
  readonly say: Say;
}

function readMessage(message: JsonNode, reader: Reader): Turn {
  const role = field(message, "role");
  const content = field(message, "content");
  const { legacyIds, say } = reader;
  switch (asString(role)) {
    case "system":
    case "developer":
      return { role: "system", parts: onlyTexts(readParts(content, say), say) };
    case "user":
      return { role: "user", parts: readParts(content, say) };
    case "assistant":
      return { role: "assistant", parts: readAssistant(message, reader) };
    case "tool": {
      const callId = asString(field(message, "tool_call_id"));
      return { role: "tool", callId, parts: readParts(content, say), isError: false };
    }
    case "function": {
      const callId = legacyIds.answer(field(message, "name"));
      return { role: "tool", callId, parts: readParts(content, say), isError: false };
    }
    default:
      return refuseKind(role, "the role", '"system", "developer", "user", "assistant" or "tool"');
  }
}

/** Null and "" are no part. */
function readParts(content: JsonNode, say: Say): UserPart[] {
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
        if (source === undefined) return [leftOut("image", say)];
        return [{ kind: "image", source, ...given("detail", detail), ...readCache(part) }];
      }
      case "file":
        return [readChatFile(part) ?? leftOut("document", say)];
      default:
        return [leftOut(type.value, say)];
    }
  });
}

function readAssistant(message: JsonNode, { legacyIds, say }: Reader): AssistantPart[] {
  const text = (key: string): string => optional(field(message, key), asString) ?? "";
  const thought = text("reasoning_content") || text("reasoning");
  const calls = optional(field(message, "tool_calls"), asArray) ?? [];
  const legacy = field(message, "function_call");
  return [
    ...(thought === "" ? [] : [{ kind: "thinking", text: thought, signature: "" } as const]),
    ...readAssistantText(field(message, "content"), say),
    ...textPart(text("refusal")),
    ...calls.map((call) => readToolCall(call, say)),
    ...(isAbsent(legacy) ? [] : [readCalled(legacy, legacyIds.call(field(legacy, "name")), say)]),
  ];
}

function readAssistantText(content: JsonNode, say: Say): TextPart[] {
  if (isAbsent(content)) return [];
  if (typeof content.value === "string") return textPart(content.value);
  return asArray(content).flatMap((part) => {
    const type = asString(field(part, "type"));
    switch (type) {
      case "text":
        return textPart(asString(field(part, "text")), readCache(part));
      case "refusal":
        return textPart(asString(field(part, "refusal")));
      default: // the model would imitate a note among its own words
        say(`${leftOutName(type)} left out`);
        return [];
    }
  });
}

/** A custom tool is called with a single text instead of arguments. */
function readToolCall(call: JsonNode, say: Say): AssistantPart {
  const id = asString(field(call, "id"));
  if (field(call, "type").value === "custom") {
    const custom = field(call, "custom");
    const input = optional(field(custom, "input"), asString) ?? "";
    const name = asString(field(custom, "name"));
    return { kind: "tool_call", id, name, arguments: JSON.stringify({ input }) };
  }
  return readCalled(field(call, "function"), id, say);
}

/** @param called has "name" and "arguments" */
export function readCalled(called: JsonNode, id: string, say: Say): ToolCallPart {
  const text = optional(field(called, "arguments"), asString) ?? "";
  const whole = repairedArguments(text);
  if (whole !== text) say("broken arguments of a tool call repaired");
  return { kind: "tool_call", id, name: asString(field(called, "name")), arguments: whole };
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

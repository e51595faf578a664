// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The input of a responses request, read. Calls of tools are items of their own there; those
 * behind one another, and behind the assistant's words, are one turn elsewhere.
 *
 * @module
 */

import { readCalled, type ReadTurns } from "../chat/chat_turns_read.ts";
import type { AssistantPart, SignedExtra, ToolCallPart, Turn, UserPart } from "../conversation.ts";
import { readInputFile } from "../document.ts";
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
import { unseal, unsealExtra } from "../provenance.ts";
import { ADDITIONAL, localShellArguments, namespacedName } from "./responses_tools.ts";
import { leftOut, leftOutName, onlyTexts, type Say, textPart } from "../text_parts.ts";
import { TranslationError } from "../translation_error.ts";

/** @throws {TranslationError} for malformed items; unknown kinds are left out */
export function readResponseTurns(input: JsonNode): ReadTurns {
  if (typeof input.value === "string") {
    return { turns: [{ role: "user", parts: textPart(input.value) }], changes: [] };
  }
  const turns: Turn[] = [];
  const changes = new Set<string>();
  const reader = createItemReader((change) => void changes.add(change));
  for (const item of asArray(input)) {
    const turn = reader(item);
    if (turn === undefined) continue;
    const last = turns.at(-1);
    if (turn.role === "assistant" && last?.role === "assistant") {
      turns[turns.length - 1] = { role: "assistant", parts: [...last.parts, ...turn.parts] };
    } else turns.push(turn);
  }
  return { turns, changes: [...changes] };
}

/** @returns undefined for what is left out */
function createItemReader(say: Say): (item: JsonNode) => Turn | undefined {
  const extras = new Map<string, SignedExtra>();
  const call = (item: JsonNode, name: string, text: string): Turn => {
    const id = callIdOf(item);
    const called = { value: { name, arguments: text }, path: item.path };
    const extra = given("extra", extras.get(id));
    return { role: "assistant", parts: [{ ...readCalled(called, id, say), ...extra }] };
  };
  const text = (item: JsonNode, key: string): string => optional(field(item, key), asString) ?? "";
  return (item) => {
    const type = field(item, "type");
    switch (isAbsent(type) ? "message" : asString(type)) {
      case "message":
        return readMessage(item, say);
      case "function_call": {
        const name = namespacedName(text(item, "namespace"), asString(field(item, "name")));
        return call(item, name, text(item, "arguments"));
      }
      case "custom_tool_call": {
        const name = namespacedName(text(item, "namespace"), asString(field(item, "name")));
        return call(item, name, JSON.stringify({ input: text(item, "input") }));
      }
      case ADDITIONAL: // read with the other tools
        return undefined;
      case "local_shell_call":
        return call(item, "local_shell", localShellArguments(field(item, "action")));
      case "function_call_output":
      case "custom_tool_call_output":
      case "local_shell_call_output":
        return readOutput(item, say);
      case "reasoning":
        return readReasoning(item, extras, say);
      case "item_reference": // known references are already resolved
        throw new TranslationError(
          `${item.path}.id`,
          "refers to an item that is not kept here",
          'send the item itself; with "store": false the SDKs do',
        );
      default: // of OpenAI's server tools, or readable by OpenAI alone ("compaction")
        say(`item ${leftOutName(type.value)} left out`);
        return undefined;
    }
  };
}

function callIdOf(item: JsonNode): ToolCallPart["id"] {
  const callId = field(item, "call_id");
  return asString(isAbsent(callId) ? field(item, "id") : callId);
}

function readOutput(item: JsonNode, say: Say): Turn {
  const output = field(item, "output");
  const parts = isAbsent(output) ? [] : readParts(output, say);
  return { role: "tool", callId: callIdOf(item), parts, isError: false };
}

/** Reads what the proxy sealed; anything else only OpenAI can read. */
function readReasoning(
  item: JsonNode,
  extras: Map<string, SignedExtra>,
  say: Say,
): Turn | undefined {
  const encrypted = optional(field(item, "encrypted_content"), asString) ?? "";
  const extra = unsealExtra(encrypted);
  if (extra !== undefined) {
    extras.set(extra.callId, extra);
    return undefined;
  }
  const part = thinkingOf(encrypted);
  if (part !== undefined) return { role: "assistant", parts: [part] };
  say("reasoning of earlier turns left out");
  return undefined;
}

function thinkingOf(encrypted: string): AssistantPart | undefined {
  const { maker, payload } = unseal(encrypted) ?? {};
  if (maker === undefined || payload === undefined) return undefined;
  try {
    const { text, signature, data }: Record<string, unknown> = JSON.parse(payload);
    if (typeof data === "string") return { kind: "redacted", data, maker };
    if (typeof text === "string" && typeof signature === "string") {
      return { kind: "thinking", text, signature, maker };
    }
  } catch {
    // cut off
  }
  return undefined;
}

function readMessage(item: JsonNode, say: Say): Turn {
  const role = field(item, "role");
  const content = field(item, "content");
  switch (asString(role)) {
    case "system":
    case "developer":
      return { role: "system", parts: onlyTexts(readParts(content, say), say) };
    case "user":
      return { role: "user", parts: readParts(content, say) };
    case "assistant":
      return { role: "assistant", parts: onlyTexts(readParts(content, say), say) };
    default:
      return refuseKind(role, "the role", '"system", "developer", "user" or "assistant"');
  }
}

function readParts(content: JsonNode, say: Say): UserPart[] {
  if (typeof content.value === "string") return textPart(content.value);
  return asArray(content).flatMap((part): UserPart[] => {
    const type = field(part, "type");
    switch (asString(type)) {
      case "input_text":
      case "output_text":
      case "text":
        return textPart(asString(field(part, "text")));
      case "refusal":
        return textPart(asString(field(part, "refusal")));
      case "input_image": {
        const url = field(part, "image_url");
        const source = isAbsent(url) ? undefined : readImageUrl(url); // or kept, with a file_id
        if (source === undefined) return [leftOut("image", say)];
        const detail = optional(field(part, "detail"), asString);
        return [{ kind: "image", source, ...given("detail", detail) }];
      }
      case "input_file":
        return [readInputFile(part) ?? leftOut("document", say)];
      default:
        return [leftOut(type.value, say)];
    }
  });
}

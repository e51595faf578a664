// SPDX-License-Identifier: GPL-2.0-or-later
/** A whole answer of the messages API. @module */

import type { AnswerIdentity, Completion } from "../completion.ts";
import type { AssistantPart } from "../conversation.ts";
import {
  asArray,
  asString,
  field,
  given,
  type JsonNode,
  optional,
  refuseKind,
} from "../json_node.ts";
import {
  readMessagesUsage,
  readStopReason,
  writeMessagesUsage,
  writeStopReason,
} from "./messages_wire.ts";
import { seal, sealExtra } from "../provenance.ts";
import { inputOf, readToolUse } from "../text_parts.ts";
import { createAnswerIds } from "../tool_ids.ts";

/** @throws {TranslationError} if the provider's answer is not readable */
export function readMessagesResponse(body: JsonNode): Completion {
  return {
    id: optional(field(body, "id"), asString) ?? "",
    model: optional(field(body, "model"), asString) ?? "",
    parts: asArray(field(body, "content")).flatMap(readBlock),
    stop: readStopReason(optional(field(body, "stop_reason"), asString) ?? "end_turn"),
    ...given("stopSequence", optional(field(body, "stop_sequence"), asString)),
    usage: readMessagesUsage(field(body, "usage")),
  };
}

function readBlock(block: JsonNode): AssistantPart[] {
  const type = field(block, "type");
  switch (asString(type)) {
    case "text":
      return [{ kind: "text", text: asString(field(block, "text")) }];
    case "thinking": {
      const signature = optional(field(block, "signature"), asString) ?? "";
      return [{ kind: "thinking", text: asString(field(block, "thinking")), signature }];
    }
    case "redacted_thinking":
      return [{ kind: "redacted", data: asString(field(block, "data")) }];
    case "tool_use":
      return [readToolUse(block)];
    default: // other blocks come from server tools, which the proxy never requests
      return refuseKind(type, "content of type", "tools of your own");
  }
}

export function writeMessagesResponse(
  completion: Completion,
  who: AnswerIdentity,
): Record<string, unknown> {
  const newId = createAnswerIds();
  return {
    id: who.id,
    type: "message",
    role: "assistant",
    model: who.model,
    content: completion.parts.flatMap((part) => writeBlocks(part, who.maker, newId)),
    stop_reason: writeStopReason(completion.stop),
    stop_sequence: completion.stopSequence ?? null,
    usage: writeMessagesUsage(completion.usage),
  };
}

function writeBlocks(
  part: AssistantPart,
  maker: string,
  newId: (id: string) => string,
): Record<string, unknown>[] {
  switch (part.kind) {
    case "text":
      return [{ type: "text", text: part.text }];
    case "thinking":
      return [{ type: "thinking", thinking: part.text, signature: seal(maker, part.signature) }];
    case "redacted":
      return [{ type: "redacted_thinking", data: part.data }];
    case "tool_call": {
      const id = newId(part.id);
      const call = { type: "tool_use", id, name: part.name, input: inputOf(part.arguments) };
      if (part.extra === undefined) return [call];
      const data = sealExtra(id, { maker, fields: part.extra.fields });
      return [{ type: "redacted_thinking", data }, call];
    }
    default:
      return part satisfies never;
  }
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** A whole answer of chat completions ("The chat completion object"). @module */

import {
  isErrorReason,
  readChatUsage,
  readContent,
  readFinishReason,
  writeChatUsage,
  writeFinishReason,
} from "./chat_wire.ts";
import type { Completion, ResponseIdentity } from "../completion.ts";
import type { AssistantPart, SignedExtra } from "../conversation.ts";
import {
  asArray,
  asOpaqueObject,
  asString,
  field,
  given,
  isAbsent,
  type JsonNode,
  optional,
} from "../json_node.ts";
import { createAnswerIds } from "../tool_ids.ts";
import { TranslationError } from "../translation_error.ts";

/** @throws {TranslationError} if the provider's answer is not readable */
export function readChatResponse(body: JsonNode): Completion {
  const choices = field(body, "choices");
  const [choice] = asArray(choices);
  if (choice === undefined) throw new TranslationError(choices.path, "is empty", "");
  const message = field(choice, "message");
  const parts = readMessage(message);
  const reason = optional(field(choice, "finish_reason"), asString) ?? "stop";
  if (isErrorReason(reason)) {
    throw new TranslationError(`${choice.path}.finish_reason`, 'says "error"', "");
  }
  const called = parts.some(({ kind }) => kind === "tool_call");
  const refused = !isAbsent(field(message, "refusal"));
  const stop = readFinishReason(reason);
  return {
    id: optional(field(body, "id"), asString) ?? "",
    model: optional(field(body, "model"), asString) ?? "",
    parts,
    // Some servers say "stop" after tool calls, and OpenAI after a refusal.
    stop: stop !== "end" ? stop : called ? "tool_use" : refused ? "refusal" : "end",
    usage: readChatUsage(field(body, "usage")),
  };
}

function readMessage(message: JsonNode): AssistantPart[] {
  const text = (key: string): string => optional(field(message, key), asString) ?? "";
  const content = readContent(field(message, "content"));
  const thought = (text("reasoning_content") || text("reasoning")) + content.thought;
  const said = content.said + text("refusal");
  const calls = optional(field(message, "tool_calls"), asArray) ?? [];
  return [
    ...(thought === "" ? [] : [{ kind: "thinking", text: thought, signature: "" } as const]),
    ...(said === "" ? [] : [{ kind: "text", text: said } as const]),
    ...calls.map((call, i): AssistantPart => {
      const called = field(call, "function");
      return {
        kind: "tool_call",
        id: optional(field(call, "id"), asString) ?? `call${i}`,
        name: asString(field(called, "name")),
        arguments: readArguments(field(called, "arguments")),
        ...given("extra", readExtra(call)),
      };
    }),
  ];
}

/** The maker is filled in by the caller, who knows the provider. */
function readExtra(call: JsonNode): SignedExtra | undefined {
  const fields = optional(field(call, "extra_content"), asOpaqueObject);
  return fields && { maker: "", fields };
}

/** Text or, from non-conforming servers, the object itself. */
export function readArguments(node: JsonNode): string {
  if (isAbsent(node)) return "";
  return typeof node.value === "object" ? JSON.stringify(node.value) : asString(node);
}

export function writeChatResponse(
  completion: Completion,
  who: ResponseIdentity,
): Record<string, unknown> {
  return {
    id: who.id,
    object: "chat.completion",
    created: who.createdS,
    model: who.model,
    choices: [{
      index: 0,
      message: writeMessage(completion.parts),
      logprobs: null,
      finish_reason: writeFinishReason(completion.stop),
    }],
    usage: writeChatUsage(completion.usage),
  };
}

function writeMessage(parts: readonly AssistantPart[]): Record<string, unknown> {
  const newId = createAnswerIds();
  const join = (kind: "text" | "thinking"): string =>
    parts.flatMap((part) => part.kind === kind ? [part.text] : []).join("");
  const calls = parts.flatMap((part) =>
    part.kind !== "tool_call" ? [] : [{
      id: newId(part.id),
      type: "function",
      function: { name: part.name, arguments: part.arguments === "" ? "{}" : part.arguments },
      ...given("extra_content", part.extra?.fields),
    }]
  );
  const [text, thought] = [join("text"), join("thinking")];
  return {
    role: "assistant",
    content: text === "" && calls.length > 0 ? null : text,
    refusal: null,
    ...(thought === "" ? {} : { reasoning_content: thought }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  };
}

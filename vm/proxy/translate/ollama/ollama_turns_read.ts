// SPDX-License-Identifier: GPL-2.0-or-later
/** The messages of an Ollama request, read. Calls and their results may come without ids. @module */

import type { AssistantPart, ToolTurn, Turn, UserPart } from "../conversation.ts";
import {
  asArray,
  asOpaqueObject,
  asString,
  field,
  type JsonNode,
  optional,
  refuseKind,
} from "../json_node.ts";
import { leftOut, type Say, textPart } from "../text_parts.ts";
import { TranslationError } from "../translation_error.ts";

/** @throws {TranslationError} for a role that is not known, and a result without a call */
export function readOllamaTurns(messages: JsonNode, say: Say): Turn[] {
  const calls = createOpenCalls();
  return asArray(messages).map((message): Turn => {
    const role = field(message, "role");
    const texts = textPart(optional(field(message, "content"), asString) ?? "");
    switch (asString(role)) {
      case "system":
        return { role: "system", parts: texts };
      case "user": {
        const images = optional(field(message, "images"), asArray) ?? [];
        return { role: "user", parts: [...texts, ...images.map((one) => readImage(one, say))] };
      }
      case "assistant":
        return { role: "assistant", parts: readAssistant(message, texts, calls) };
      case "tool":
        return { role: "tool", callId: calls.answer(message), parts: texts, isError: false };
      default:
        return refuseKind(role, "the role", '"system", "user", "assistant" or "tool"');
    }
  });
}

function readAssistant(
  message: JsonNode,
  texts: readonly AssistantPart[],
  open: OpenCalls,
): AssistantPart[] {
  const thought = optional(field(message, "thinking"), asString) ?? "";
  const calls = optional(field(message, "tool_calls"), asArray) ?? [];
  return [
    ...(thought === "" ? [] : [{ kind: "thinking", text: thought, signature: "" } as const]),
    ...texts,
    ...calls.map((call): AssistantPart => {
      const called = field(call, "function");
      const name = asString(field(called, "name"));
      const input = optional(field(called, "arguments"), asOpaqueObject) ?? {};
      const id = open.call(optional(field(call, "id"), asString), name);
      return { kind: "tool_call", id, name, arguments: JSON.stringify(input) };
    }),
  ];
}

/** Ollama's API carries no media type: the first bytes show it. */
const MAGIC: readonly (readonly [base64: string, mediaType: string])[] = [
  ["iVBOR", "image/png"],
  ["/9j/", "image/jpeg"],
  ["R0lGOD", "image/gif"],
  ["UklGR", "image/webp"],
];

function readImage(node: JsonNode, say: Say): UserPart {
  const data = asString(node);
  const mediaType = MAGIC.find(([begin]) => data.startsWith(begin))?.[1];
  return mediaType === undefined
    ? leftOut("image", say)
    : { kind: "image", source: { kind: "base64", mediaType, data } };
}

interface OpenCalls {
  call(id: string | undefined, name: string): string;
  answer(message: JsonNode): ToolTurn["callId"];
}

/** A result belongs to the call it names, else to the oldest open one of its tool. */
function createOpenCalls(): OpenCalls {
  let open: { readonly id: string; readonly name: string }[] = [];
  let count = 0;
  return {
    call(id, name) {
      const call = { id: id ?? `call${++count}`, name };
      open.push(call);
      return call.id;
    },
    answer(message) {
      const id = optional(field(message, "tool_call_id"), asString);
      const name = optional(field(message, "tool_name"), asString);
      const found = open.find((call) => id !== undefined ? call.id === id : call.name === name) ??
        (id === undefined && name === undefined ? open[0] : undefined);
      if (found === undefined) {
        const fix = "send the assistant's tool call, too";
        throw new TranslationError(message.path, "answers no tool call before it", fix);
      }
      open = open.filter((call) => call !== found);
      return found.id;
    },
  };
}

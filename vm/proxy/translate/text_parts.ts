// SPDX-License-Identifier: GPL-2.0-or-later
/** Parts of a turn that all formats read alike. @module */

import type { TextPart, ToolCallPart, UserPart } from "./conversation.ts";
import { asOpaqueObject, asString, field, given, type JsonNode, optional } from "./json_node.ts";

/** "" is no part: providers refuse empty texts. */
export const textPart = (text: string, cache: Pick<TextPart, "cache"> = {}): TextPart[] =>
  text === "" ? [] : [{ kind: "text", text, ...cache }];

/** The mark for Anthropic's cache; in chat completions some clients send it, too. */
export const readCache = (part: JsonNode): Pick<TextPart, "cache"> =>
  given("cache", optional(field(part, "cache_control"), asOpaqueObject));

/** Reports what was left out or changed, for the log: kinds and names, never content. */
export type Say = (change: string) => void;

/** A client's name for a kind, safe for one log line. */
export const leftOutName = (type: unknown): string =>
  typeof type === "string" ? type.slice(0, 40).replace(/[^\w.-]/g, ".") : "a part";

/** Stands in for what cannot be passed on: one odd part must not cost the session. */
export function leftOut(type: unknown, say: Say): TextPart {
  const kind = leftOutName(type);
  say(`${kind} left out`);
  return { kind: "text", text: `[${kind} was left out here: it cannot be passed on]` };
}

/** For places where only text is allowed. */
export const onlyTexts = (parts: readonly UserPart[], say: Say): TextPart[] =>
  parts.map((part) => part.kind === "text" ? part : leftOut(part.kind, say));

/** Anthropic's block of a tool call, in a request and in an answer. */
export function readToolUse(block: JsonNode): ToolCallPart {
  return {
    kind: "tool_call",
    id: asString(field(block, "id")),
    name: asString(field(block, "name")),
    arguments: JSON.stringify(asOpaqueObject(field(block, "input"))),
  };
}

/** Models may write broken JSON, but Anthropic's and Ollama's APIs require an object. */
export function inputOf(text: string): unknown {
  if (text.trim() === "") return {};
  try {
    const input: unknown = JSON.parse(text);
    if (typeof input === "object" && input !== null && !Array.isArray(input)) return input;
  } catch {
    // below
  }
  return { INVALID_JSON: text }; // the tool rejects it, and the model sees why
}

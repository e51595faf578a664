// SPDX-License-Identifier: GPL-2.0-or-later
/** What whole answers and streams of chat completions share: usage and reasons to stop. @module */

import { NO_USAGE, type StopReason, type Usage } from "../completion.ts";
import {
  asArray,
  asCount,
  asString,
  field,
  isAbsent,
  type JsonNode,
  optional,
} from "../json_node.ts";

const FROM_CHAT: ReadonlyMap<string, StopReason> = new Map<string, StopReason>([
  ["stop", "end"],
  ["length", "max_tokens"],
  ["tool_calls", "tool_use"],
  ["function_call", "tool_use"],
  ["content_filter", "refusal"],
]);

/** An unknown word counts as a normal end: the text is complete. */
export const readFinishReason = (untrusted: string): StopReason =>
  FROM_CHAT.get(untrusted) ?? "end";

const TO_CHAT: Readonly<Record<StopReason, string>> = {
  end: "stop",
  stop_sequence: "stop",
  pause: "stop",
  max_tokens: "length",
  context_full: "length",
  tool_use: "tool_calls",
  refusal: "content_filter",
};

export const writeFinishReason = (reason: StopReason): string => TO_CHAT[reason];

/**
 * prompt_tokens holds the cached ones, completion_tokens the reasoning; with some servers (xAI,
 * Gemini) only total_tokens holds that.
 */
export function readChatUsage(usage: JsonNode): Usage {
  if (isAbsent(usage)) return NO_USAGE;
  const count = (node: JsonNode, key: string): number => optional(field(node, key), asCount) ?? 0;
  const detail = (key: string, of: string): number => {
    const details = field(usage, key);
    return isAbsent(details) ? 0 : count(details, of);
  };
  const inputTokens = count(usage, "prompt_tokens");
  const beside = count(usage, "total_tokens") - inputTokens;
  return {
    inputTokens,
    cachedTokens: detail("prompt_tokens_details", "cached_tokens"),
    cacheWriteTokens: 0,
    outputTokens: Math.max(count(usage, "completion_tokens"), beside),
    reasoningTokens: detail("completion_tokens_details", "reasoning_tokens"),
  };
}

export function writeChatUsage(usage: Usage): Record<string, unknown> {
  return {
    prompt_tokens: usage.inputTokens,
    completion_tokens: usage.outputTokens,
    total_tokens: usage.inputTokens + usage.outputTokens,
    prompt_tokens_details: { cached_tokens: usage.cachedTokens },
    completion_tokens_details: { reasoning_tokens: usage.reasoningTokens },
  };
}

/** Some servers report a failed answer this way. */
export const isErrorReason = (untrusted: string): boolean => untrusted === "error";

export interface Content {
  readonly thought: string;
  readonly said: string;
}

/** Text, or Mistral's list: {"type":"thinking","thinking":[texts]} and {"type":"text","text"}. */
export function readContent(content: JsonNode): Content {
  if (isAbsent(content)) return { thought: "", said: "" };
  if (!Array.isArray(content.value)) return { thought: "", said: asString(content) };
  let [thought, said] = ["", ""];
  for (const part of asArray(content)) {
    if (field(part, "type").value === "thinking") thought += readThought(field(part, "thinking"));
    else said += optional(field(part, "text"), asString) ?? "";
  }
  return { thought, said };
}

const readThought = (thinking: JsonNode): string =>
  typeof thinking.value === "string"
    ? thinking.value
    : asArray(thinking).map((part) => optional(field(part, "text"), asString) ?? "").join("");

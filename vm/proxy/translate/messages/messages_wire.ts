// SPDX-License-Identifier: GPL-2.0-or-later
/** What whole answers and streams of the messages API share: usage and reasons to stop. @module */

import { NO_USAGE, type StopReason, type Usage } from "../completion.ts";
import { asCount, field, isAbsent, type JsonNode, optional } from "../json_node.ts";

const FROM_MESSAGES: ReadonlyMap<string, StopReason> = new Map<string, StopReason>([
  ["end_turn", "end"],
  ["max_tokens", "max_tokens"],
  ["stop_sequence", "stop_sequence"],
  ["tool_use", "tool_use"],
  ["refusal", "refusal"],
  ["pause_turn", "pause"],
  ["model_context_window_exceeded", "context_full"],
]);

/** An unknown word counts as a normal end: the text is complete. */
export const readStopReason = (untrusted: string): StopReason =>
  FROM_MESSAGES.get(untrusted) ?? "end";

const TO_MESSAGES: Readonly<Record<StopReason, string>> = {
  end: "end_turn",
  max_tokens: "max_tokens",
  stop_sequence: "stop_sequence",
  tool_use: "tool_use",
  refusal: "refusal",
  pause: "pause_turn",
  context_full: "model_context_window_exceeded",
};

export const writeStopReason = (reason: StopReason): string => TO_MESSAGES[reason];

/** input_tokens holds neither what came from the cache nor what went into it. */
export function readMessagesUsage(usage: JsonNode, before: Usage = NO_USAGE): Usage {
  if (isAbsent(usage)) return before;
  const count = (key: string): number | undefined => optional(field(usage, key), asCount);
  const cachedTokens = count("cache_read_input_tokens") ?? before.cachedTokens;
  const cacheWriteTokens = count("cache_creation_input_tokens") ?? before.cacheWriteTokens;
  const plain = count("input_tokens") ??
    before.inputTokens - before.cachedTokens - before.cacheWriteTokens;
  return {
    inputTokens: plain + cachedTokens + cacheWriteTokens,
    cachedTokens,
    cacheWriteTokens,
    outputTokens: count("output_tokens") ?? before.outputTokens,
    reasoningTokens: 0,
  };
}

export function writeMessagesUsage(usage: Usage): Record<string, unknown> {
  const { inputTokens, cachedTokens, cacheWriteTokens, outputTokens } = usage;
  return {
    input_tokens: Math.max(0, inputTokens - cachedTokens - cacheWriteTokens),
    cache_creation_input_tokens: cacheWriteTokens,
    cache_read_input_tokens: cachedTokens,
    output_tokens: outputTokens,
  };
}

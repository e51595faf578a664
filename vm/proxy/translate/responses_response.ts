// SPDX-License-Identifier: GPL-2.0-or-later
/** The response object of POST /v1/responses, and its items. @module */

import type { Completion, ResponseIdentity, StopReason, Usage } from "./completion.ts";
import type { AssistantPart } from "./conversation.ts";
import { createAnswerIds } from "./tool_ids.ts";

export type Item = Readonly<Record<string, unknown>>;
type Status = "in_progress" | "completed";

export const textContent = (text: string): Item => ({ type: "output_text", text, annotations: [] });

export const messageItem = (id: string, status: Status, content: readonly Item[]): Item => ({
  id,
  type: "message",
  status,
  role: "assistant",
  content,
});

export const reasoningItem = (id: string, summary: readonly Item[]): Item => ({
  id,
  type: "reasoning",
  summary,
});

export const summaryContent = (text: string): Item => ({ type: "summary_text", text });

export const callItem = (
  id: string,
  status: Status,
  call: { readonly callId: string; readonly name: string; readonly arguments: string },
): Item => ({
  id,
  type: "function_call",
  status,
  call_id: call.callId,
  name: call.name,
  arguments: call.arguments,
});

/** Why an answer is not whole, or null. */
export function incompleteReason(stop: StopReason): string | null {
  if (stop === "max_tokens" || stop === "context_full") return "max_output_tokens";
  return stop === "refusal" ? "content_filter" : null;
}

/** Fields a client may rely on; those of the request are not repeated. */
export function responseObject(
  who: ResponseIdentity,
  status: "in_progress" | "completed" | "incomplete" | "failed",
  fields: Item,
): Record<string, unknown> {
  return {
    id: who.id,
    object: "response",
    created_at: who.createdS,
    status,
    error: null,
    incomplete_details: null,
    model: who.model,
    output: [],
    parallel_tool_calls: true,
    tool_choice: "auto",
    tools: [],
    metadata: {},
    usage: null,
    ...fields,
  };
}

export function finishedResponse(
  who: ResponseIdentity,
  stop: StopReason,
  output: readonly Item[],
  usage: Usage,
): Record<string, unknown> {
  const reason = incompleteReason(stop);
  return responseObject(who, reason === null ? "completed" : "incomplete", {
    incomplete_details: reason === null ? null : { reason },
    output,
    usage: {
      input_tokens: usage.inputTokens,
      input_tokens_details: { cached_tokens: usage.cachedTokens },
      output_tokens: usage.outputTokens,
      output_tokens_details: { reasoning_tokens: usage.reasoningTokens },
      total_tokens: usage.inputTokens + usage.outputTokens,
    },
  });
}

export function writeResponsesResponse(
  { parts, stop, usage }: Completion,
  who: ResponseIdentity,
): Record<string, unknown> {
  const newId = createAnswerIds();
  const output = parts.flatMap((part, i): Item[] => writeItem(part, itemId(who, i), newId));
  return finishedResponse(who, stop, output, usage);
}

export const itemId = (who: ResponseIdentity, index: number): string => `item_${who.id}_${index}`;

function writeItem(part: AssistantPart, id: string, newId: (id: string) => string): Item[] {
  switch (part.kind) {
    case "text":
      return [messageItem(id, "completed", [textContent(part.text)])];
    case "thinking":
      return [reasoningItem(id, [summaryContent(part.text)])];
    case "redacted":
      return [];
    case "tool_call": {
      const text = part.arguments === "" ? "{}" : part.arguments;
      const call = { callId: newId(part.id), name: part.name, arguments: text };
      return [callItem(id, "completed", call)];
    }
    default:
      return part satisfies never;
  }
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** The response object of POST /v1/responses, and its items. @module */

import type {
  AnswerIdentity,
  Completion,
  ResponseIdentity,
  StopReason,
  Usage,
} from "../completion.ts";
import type { AssistantPart } from "../conversation.ts";
import { type ItemPrefix, ownItemId, seal, sealExtra } from "../provenance.ts";
import { callItem, prefixOf, type ToolForms } from "./responses_tools.ts";
import { createAnswerIds } from "../tool_ids.ts";

/** Prefix of the ids of the proxy's own responses, which OpenAI does not know. */
export const RESPONSE_ID = "resp_ocp_";

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

/** @param sealed the sealed reasoning for its maker; "" while it has only begun */
export const reasoningItem = (id: string, summary: readonly Item[], sealed: string): Item => ({
  id,
  type: "reasoning",
  summary,
  ...(sealed === "" ? {} : { encrypted_content: sealed }),
});

export const sealThinking = (maker: string, text: string, signature: string): string =>
  seal(maker, JSON.stringify({ text, signature }));

export const sealRedacted = (maker: string, data: string): string =>
  seal(maker, JSON.stringify({ data }));

export const summaryContent = (text: string): Item => ({ type: "summary_text", text });

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
  who: AnswerIdentity,
  forms: ToolForms = new Map(),
): Record<string, unknown> {
  const newId = createAnswerIds();
  const output: Item[] = [];
  for (const part of parts) {
    for (const make of itemsOf(part, who.maker, newId, forms)) {
      output.push(make((kind) => ownItemId(kind, who.id, output.length)));
    }
  }
  return finishedResponse(who, stop, output, usage);
}

type MakeItem = (id: (kind: ItemPrefix) => string) => Item;

function itemsOf(
  part: AssistantPart,
  maker: string,
  newId: (id: string) => string,
  forms: ToolForms,
): MakeItem[] {
  switch (part.kind) {
    case "text":
      return [(id) => messageItem(id("msg"), "completed", [textContent(part.text)])];
    case "thinking": {
      const sealed = sealThinking(maker, part.text, part.signature);
      return [(id) => reasoningItem(id("rs"), [summaryContent(part.text)], sealed)];
    }
    case "redacted":
      return [(id) => reasoningItem(id("rs"), [], sealRedacted(maker, part.data))];
    case "tool_call": {
      const text = part.arguments === "" ? "{}" : part.arguments;
      const callId = newId(part.id);
      const form = forms.get(part.name);
      const call = { status: "completed", callId, name: part.name, arguments: text } as const;
      const item: MakeItem = (id) => callItem({ ...call, id: id(prefixOf(form)) }, form);
      if (part.extra === undefined) return [item];
      const sealed = sealExtra(callId, { maker, fields: part.extra.fields });
      return [(id) => reasoningItem(id("rs"), [], sealed), item];
    }
    default:
      return part satisfies never;
  }
}

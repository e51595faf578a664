// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Turns as Anthropic messages: the system prompt separate, roles alternating, tool results before
 * the user's text, no empty text.
 *
 * @module
 */

import type {
  AssistantPart,
  RedactedPart,
  ThinkingPart,
  ToolTurn,
  Turn,
  UserPart,
} from "../conversation.ts";
import { writeDocumentBlock } from "../document.ts";
import { writeImageSource } from "../image.ts";
import { given } from "../json_node.ts";
import { inputOf } from "../text_parts.ts";
import { createToolIds, type ToolIds } from "../tool_ids.ts";
import { TranslationError } from "../translation_error.ts";

export type Block = Record<string, unknown>;

export type TakesBack = (part: ThinkingPart | RedactedPart) => boolean;

export interface Message {
  readonly role: "user" | "assistant";
  readonly content: Block[];
}

/** All system turns, in order: older models accept them only at the top. */
export function writeSystem(turns: readonly Turn[], changes: string[]): Block[] {
  const firstOther = turns.findIndex(({ role }) => role !== "system");
  if (firstOther >= 0 && turns.slice(firstOther).some(({ role }) => role === "system")) {
    changes.push("system messages moved to the top");
  }
  return turns.flatMap((turn) => turn.role === "system" ? turn.parts.flatMap(writeUserPart) : []);
}

/**
 * @param takesBack which thinking of earlier turns may be sent
 * @throws {TranslationError} if nothing is left, or a result answers no call
 */
export function writeMessages(
  turns: readonly Turn[],
  changes: string[],
  takesBack: TakesBack,
): Message[] {
  const ids = createToolIds();
  const messages: Message[] = [];
  const add = (role: Message["role"], blocks: Block[]): void => {
    if (blocks.length === 0) return;
    const last = messages.at(-1);
    if (last?.role === role) last.content.push(...blocks);
    else messages.push({ role, content: blocks });
  };
  turns.forEach((turn, i) => {
    if (turn.role === "system") return;
    if (turn.role === "user") add("user", turn.parts.flatMap(writeUserPart));
    else if (turn.role === "tool") add("user", [writeResult(turn, ids, i)]);
    else add("assistant", turn.parts.flatMap((part) => writePart(part, ids, changes, takesBack)));
  });
  if (messages.length === 0) {
    throw new TranslationError("body.messages", "hold no content", "send a user message with text");
  }
  for (const { role, content } of messages) if (role === "user") resultsFirst(content);
  return messages;
}

/** Anthropic rejects a result after other content; the order within each kind is kept. */
function resultsFirst(content: Block[]): void {
  const isResult = ({ type }: Block): boolean => type === "tool_result";
  const results = content.filter(isResult);
  const others = content.filter((block) => !isResult(block));
  content.splice(0, content.length, ...results, ...others);
}

/** Marks the last block for the cache, unless it is a thinking block, which cannot be marked. */
export function markLast(blocks: Block[]): void {
  const last = blocks.at(-1);
  if (last !== undefined && last["type"] !== "thinking" && last["type"] !== "redacted_thinking") {
    last["cache_control"] = { type: "ephemeral" };
  }
}

function writeUserPart(part: UserPart): Block[] {
  const cache = given("cache_control", part.cache);
  if (part.kind === "document") return [writeDocumentBlock(part)];
  if (part.kind === "image") {
    return [{ type: "image", source: writeImageSource(part.source), ...cache }];
  }
  return part.text.trim() === "" ? [] : [{ type: "text", text: part.text, ...cache }];
}

function writeResult(turn: ToolTurn, ids: ToolIds, i: number): Block {
  const content = turn.parts.flatMap(writeUserPart);
  return {
    type: "tool_result",
    tool_use_id: ids.result(turn.callId, `body.messages, turn ${i}, tool call id`),
    ...given("content", content.length === 0 ? undefined : content),
    ...(turn.isError ? { is_error: true } : {}),
  };
}

function writePart(
  part: AssistantPart,
  ids: ToolIds,
  changes: string[],
  takesBack: TakesBack,
): Block[] {
  switch (part.kind) {
    case "text":
      return writeUserPart(part);
    case "tool_call":
      return [{
        type: "tool_use",
        id: ids.call(part.id),
        name: part.name,
        input: inputOf(part.arguments),
      }];
    case "thinking":
      if (takesBack(part)) {
        return [{ type: "thinking", thinking: part.text, signature: part.signature }];
      }
      changes.push("thinking of earlier turns left out");
      return [];
    case "redacted":
      if (takesBack(part)) return [{ type: "redacted_thinking", data: part.data }];
      changes.push("thinking of earlier turns left out");
      return [];
    default:
      return part satisfies never;
  }
}

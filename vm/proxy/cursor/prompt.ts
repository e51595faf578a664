// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A conversation as the one text that cursor-agent takes. The client's tools are described in it,
 * and called by a mark in the answer: the program has no other way to take foreign tools.
 *
 * @module
 */

import type { AssistantPart, Conversation, Turn, UserPart } from "../translate/conversation.ts";
import { documentText } from "../translate/document.ts";

/** What stands around a tool call, in the prompt and in the answer. */
export const CALL_OPEN = "<openclaw_tool_call>";
export const CALL_CLOSE = "</openclaw_tool_call>";

export function cursorPrompt(conversation: Conversation, withTools: boolean): string {
  const parts = conversation.turns.map((turn) => turnText(turn));
  const { tools, toolChoice } = conversation;
  if (withTools && tools.length > 0 && toolChoice?.kind !== "none") {
    parts.unshift(toolText(conversation));
  }
  return parts.join("\n\n") + "\n";
}

function toolText({ tools, toolChoice, parallelToolCalls }: Conversation): string {
  const list = tools.map(({ name, description, schema }) =>
    JSON.stringify({ name, description, parameters: schema })
  ).join("\n");
  const must = toolChoice?.kind === "required"
    ? "You must call one."
    : toolChoice?.kind === "named"
    ? `You must call ${toolChoice.name}.`
    : "";
  return [
    "[tools]",
    "You have these tools and no others, one JSON object a line. To call one, end your answer with",
    `${CALL_OPEN}{"name": "…", "arguments": {…}}${CALL_CLOSE}`,
    "and nothing behind it; its result comes in the next message. Do not use tools of your own.",
    ...(parallelToolCalls === false ? ["One call at a time."] : []),
    ...(must === "" ? [] : [must]),
    list,
  ].join("\n");
}

function turnText(turn: Turn): string {
  if (turn.role === "tool") {
    return `[result of tool call ${turn.callId}${turn.isError ? ", an error" : ""}]\n${
      turn.parts.map(partText).join("\n")
    }`;
  }
  return `[${turn.role}]\n${turn.parts.map(partText).filter((text) => text !== "").join("\n")}`;
}

function partText(part: UserPart | AssistantPart): string {
  switch (part.kind) {
    case "text":
      return part.text;
    case "image":
      return "[an image, which this model cannot see]";
    case "document":
      return documentText(part).text;
    case "tool_call":
      return `${CALL_OPEN}{"name": ${JSON.stringify(part.name)}, "arguments": ${
        part.arguments === "" ? "{}" : part.arguments
      }}${CALL_CLOSE} (call ${part.id})`;
    default:
      return ""; // thinking is its model's own
  }
}

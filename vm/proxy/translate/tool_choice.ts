// SPDX-License-Identifier: GPL-2.0-or-later
/** Tool choices, where some of the tools were left out. @module */

import type { Conversation, ToolChoice } from "./conversation.ts";
import { asArray, asString, field, isAbsent, type JsonNode } from "./json_node.ts";

/** The tools that may be called, by name; the others are not sent. */
export function readAllowed(mode: JsonNode, tools: JsonNode): ToolChoice {
  const among = asArray(tools).map((tool) => {
    const called = field(tool, "function");
    return asString(field(isAbsent(called) ? tool : called, "name"));
  });
  return { kind: mode.value === "required" ? "required" : "auto", among };
}

/** A missing tool cannot be forced, and without tools there is no choice. */
export function withKnownChoice(asked: Conversation): Conversation {
  const from = withAllowed(asked);
  const { toolChoice, tools } = from;
  const isKnown = toolChoice?.kind !== "named" ||
    tools.some(({ name }) => name === toolChoice.name);
  if (toolChoice === undefined || (isKnown && tools.length > 0)) return from;
  const { toolChoice: _, ...others } = from;
  return { ...others, changes: [...from.changes, "tool_choice left out: no such tool is there"] };
}

function withAllowed(from: Conversation): Conversation {
  const { toolChoice, tools } = from;
  if (toolChoice === undefined || toolChoice.kind === "named") return from;
  const { among } = toolChoice;
  if (among === undefined) return from;
  return {
    ...from,
    toolChoice: { kind: toolChoice.kind },
    tools: tools.filter(({ name }) => among.includes(name)),
  };
}

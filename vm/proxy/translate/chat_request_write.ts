// SPDX-License-Identifier: GPL-2.0-or-later
/** A Conversation as the body of POST /v1/chat/completions. @module */

import type {
  AssistantPart,
  Conversation,
  ResponseFormat,
  Thinking,
  ToolChoice,
  ToolTurn,
  Turn,
  UserPart,
  Written,
} from "./conversation.ts";
import { writeImageUrl } from "./image.ts";
import { given } from "./json_node.ts";
import { effortOf } from "./thinking.ts";
import { createShortIds } from "./tool_ids.ts";

export interface ChatRequestOptions {
  /** OpenAI's newer models know only the longer one, Ollama only the shorter. */
  readonly maxTokensField: "max_tokens" | "max_completion_tokens";
}

/** Writes what chat completions know, and says what they do not. */
export function writeChatRequest(from: Conversation, options: ChatRequestOptions): Written {
  const changes = [...from.changes];
  if (from.topK !== undefined) changes.push("top_k left out");
  const { n, ...extras } = from.extras; // a Completion is one answer
  if (n !== undefined && n !== 1) changes.push("n left out");
  const messages = writeTurns(from.turns, changes);
  const body: Record<string, unknown> = {
    ...extras,
    model: from.model,
    messages,
    ...given("tools", from.tools.length === 0 ? undefined : from.tools.map(writeTool)),
    ...given("tool_choice", from.toolChoice && writeToolChoice(from.toolChoice)),
    // OpenAI refuses the field where there are no tools.
    ...given("parallel_tool_calls", from.tools.length === 0 ? undefined : from.parallelToolCalls),
    ...given(options.maxTokensField, from.maxTokens),
    ...given("temperature", from.temperature),
    ...given("top_p", from.topP),
    ...given("stop", from.stop.length === 0 ? undefined : from.stop),
    ...given("reasoning_effort", from.thinking && writeThinking(from.thinking, from.origin)),
    ...given("response_format", from.format && writeFormat(from.format)),
    ...given("user", from.userId),
    // Asked for even if the client did not: the proxy counts, and leaves it out for the client.
    ...(from.stream ? { stream: true, stream_options: { include_usage: true } } : {}),
  };
  return { body, changes: [...new Set(changes)] };
}

/**
 * Chat takes only text as a tool's result, and all results of one turn before anything else; so
 * their images follow as a message of the user.
 */
function writeTurns(turns: readonly Turn[], changes: string[]): Record<string, unknown>[] {
  const messages: Record<string, unknown>[] = [];
  const shortId = createShortIds();
  let images: UserPart[] = [];
  const flush = (): void => {
    if (images.length > 0) messages.push({ role: "user", content: images.map(writePart) });
    images = [];
  };
  for (const turn of turns) {
    if (turn.role !== "tool") {
      flush();
      messages.push(writeTurn(turn, shortId, changes));
      continue;
    }
    const found = turn.parts.filter(({ kind }) => kind === "image");
    if (found.length > 0) changes.push("images of tool results moved to a user message");
    images.push(...found);
    messages.push(writeResult(turn, shortId(turn.callId), found.length));
  }
  flush();
  return messages;
}

function writeResult(turn: ToolTurn, id: string, images: number): Record<string, unknown> {
  const text = turn.parts.flatMap((part) => part.kind === "text" ? [part.text] : []).join("\n");
  const content = text === "" && images > 0 ? "(see the image below)" : text;
  return { role: "tool", tool_call_id: id, content };
}

function writeTurn(
  turn: Exclude<Turn, { role: "tool" }>,
  shortId: (id: string) => string,
  changes: string[],
): Record<string, unknown> {
  if (turn.role === "assistant") return writeAssistant(turn.parts, shortId, changes);
  return { role: turn.role, content: writeContent(turn.parts) };
}

/** One text is a string: there are servers that know nothing else. */
function writeContent(parts: readonly UserPart[]): unknown {
  const [first] = parts;
  if (first === undefined) return "";
  return parts.length === 1 && first.kind === "text" ? first.text : parts.map(writePart);
}

function writePart(part: UserPart): Record<string, unknown> {
  if (part.kind === "text") return { type: "text", text: part.text };
  const url = writeImageUrl(part.source);
  return { type: "image_url", image_url: { url, ...given("detail", part.detail) } };
}

function writeAssistant(
  parts: readonly AssistantPart[],
  shortId: (id: string) => string,
  changes: string[],
): Record<string, unknown> {
  if (parts.some(({ kind }) => kind === "thinking" || kind === "redacted")) {
    changes.push("thinking of earlier turns left out");
  }
  const text = parts.flatMap((part) => part.kind === "text" ? [part.text] : []).join("");
  const calls = parts.flatMap((part) =>
    part.kind !== "tool_call" ? [] : [{
      id: shortId(part.id),
      type: "function",
      function: { name: part.name, arguments: part.arguments === "" ? "{}" : part.arguments },
    }]
  );
  if (calls.length === 0) return { role: "assistant", content: text };
  return { role: "assistant", content: text === "" ? null : text, tool_calls: calls };
}

function writeTool(tool: Conversation["tools"][number]): Record<string, unknown> {
  const { name, description, schema, strict } = tool;
  return {
    type: "function",
    function: {
      name,
      ...given("description", description),
      parameters: schema,
      ...given("strict", strict),
    },
  };
}

const writeToolChoice = (choice: ToolChoice): unknown =>
  choice.kind === "named" ? { type: "function", function: { name: choice.name } } : choice.kind;

function writeThinking(
  thinking: Thinking,
  origin: Conversation["origin"],
): string | undefined {
  if (thinking.kind === "effort") return thinking.effort;
  if (thinking.kind !== "off") return effortOf(thinking);
  return origin === "messages" || origin === "ollama" ? undefined : "none"; // not every model of OpenAI's knows "none"
}

function writeFormat(format: ResponseFormat): Record<string, unknown> {
  if (format.kind === "json_object") return { type: "json_object" };
  const { name, schema, strict } = format;
  return { type: "json_schema", json_schema: { name, schema, ...given("strict", strict) } };
}

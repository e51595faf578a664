// SPDX-License-Identifier: GPL-2.0-or-later
/** A Conversation as the body of POST /v1/chat/completions. @module */

import type {
  AssistantPart,
  Conversation,
  RedactedPart,
  ResponseFormat,
  Thinking,
  ThinkingPart,
  ToolChoice,
  ToolTurn,
  Turn,
  UserPart,
  Written,
} from "../conversation.ts";
import { writeChatFile } from "../document.ts";
import { writeImageUrl } from "../image.ts";
import { given } from "../json_node.ts";
import { effortOf } from "../thinking.ts";
import { createShortIds } from "../tool_ids.ts";

export interface ChatRequestOptions {
  /** OpenAI's newer models accept only the longer name, Ollama only the shorter. */
  readonly maxTokensField: "max_tokens" | "max_completion_tokens";
  /** Which earlier thinking to send back to the provider; none by default. */
  readonly takesBack?: (part: ThinkingPart | RedactedPart) => boolean;
  /** The provider's name: its own calls carry back the signature it attached to them. */
  readonly provider?: string;
}

/** Writes what chat completions support, and reports what they do not. */
export function writeChatRequest(from: Conversation, options: ChatRequestOptions): Written {
  const changes = [...from.changes];
  if (from.topK !== undefined) changes.push("top_k left out");
  const { n, ...extras } = from.extras; // a Completion is one answer
  if (n !== undefined && n !== 1) changes.push("n left out");
  const messages = writeTurns(from.turns, { ...options, shortId: createShortIds(), changes });
  const body: Record<string, unknown> = {
    ...extras,
    model: from.model,
    messages,
    ...given("tools", from.tools.length === 0 ? undefined : from.tools.map(writeTool)),
    ...given("tool_choice", from.toolChoice && writeToolChoice(from.toolChoice)),
    ...given("parallel_tool_calls", from.parallelToolCalls),
    ...given(options.maxTokensField, from.maxTokens),
    ...given("temperature", from.temperature),
    ...given("top_p", from.topP),
    ...given("stop", from.stop.length === 0 ? undefined : from.stop),
    ...given("reasoning_effort", from.thinking && writeThinking(from.thinking, from.origin)),
    ...given("response_format", from.format && writeFormat(from.format)),
    ...given("user", from.userId),
    // Always requested, because the proxy counts tokens; removed again unless the client asked for it.
    ...(from.stream ? { stream: true, stream_options: { include_usage: true } } : {}),
  };
  return { body, changes: [...new Set(changes)] };
}

interface TurnOptions extends Omit<ChatRequestOptions, "maxTokensField"> {
  readonly shortId: (id: string) => string;
  readonly changes: string[];
}

/**
 * Chat accepts only text as a tool result, and all results of a turn must come first; so their
 * images and documents follow in a user message.
 */
function writeTurns(turns: readonly Turn[], options: TurnOptions): Record<string, unknown>[] {
  const messages: Record<string, unknown>[] = [];
  let moved: UserPart[] = [];
  const flush = (): void => {
    if (moved.length > 0) messages.push({ role: "user", content: moved.map(writePart) });
    moved = [];
  };
  for (const turn of turns) {
    if (turn.role !== "tool") {
      flush();
      messages.push(writeTurn(turn, options));
      continue;
    }
    const found = turn.parts.filter(({ kind }) => kind !== "text");
    if (found.length > 0) {
      options.changes.push("images, documents of tool results moved to a user message");
    }
    moved.push(...found);
    messages.push(writeResult(turn, options.shortId(turn.callId), found.length));
  }
  flush();
  return messages;
}

function writeResult(turn: ToolTurn, id: string, moved: number): Record<string, unknown> {
  const text = turn.parts.flatMap((part) => part.kind === "text" ? [part.text] : []).join("\n");
  const content = text === "" && moved > 0 ? "(see the next message)" : text;
  return { role: "tool", tool_call_id: id, content };
}

function writeTurn(
  turn: Exclude<Turn, { role: "tool" }>,
  options: TurnOptions,
): Record<string, unknown> {
  if (turn.role === "assistant") return writeAssistant(turn.parts, options);
  return { role: turn.role, content: writeContent(turn.parts) };
}

/** A single text is sent as a string: some servers accept nothing else. */
function writeContent(parts: readonly UserPart[]): unknown {
  const [first] = parts;
  if (first === undefined) return "";
  return parts.length === 1 && first.kind === "text" ? first.text : parts.map(writePart);
}

function writePart(part: UserPart): Record<string, unknown> {
  switch (part.kind) {
    case "text":
      return { type: "text", text: part.text };
    case "image": {
      const url = writeImageUrl(part.source);
      return { type: "image_url", image_url: { url, ...given("detail", part.detail) } };
    }
    case "document":
      return writeChatFile(part);
    default:
      return part satisfies never;
  }
}

function writeAssistant(
  parts: readonly AssistantPart[],
  { shortId, changes, takesBack = () => false, provider }: TurnOptions,
): Record<string, unknown> {
  const thoughts = parts.filter((part) => part.kind === "thinking" || part.kind === "redacted");
  const own = thoughts.flatMap((part) =>
    part.kind === "thinking" && part.text !== "" && takesBack(part) ? [part.text] : []
  );
  if (own.length < thoughts.length) changes.push("thinking of earlier turns left out");
  const text = parts.flatMap((part) => part.kind === "text" ? [part.text] : []).join("");
  const calls = parts.flatMap((part) =>
    part.kind !== "tool_call" ? [] : [{
      id: shortId(part.id),
      type: "function",
      function: { name: part.name, arguments: part.arguments === "" ? "{}" : part.arguments },
      ...given("extra_content", part.extra?.maker === provider ? part.extra?.fields : undefined),
    }]
  );
  const thought = given("reasoning_content", own.length === 0 ? undefined : own.join("\n"));
  if (calls.length === 0) return { role: "assistant", content: text, ...thought };
  return { role: "assistant", content: text === "" ? null : text, ...thought, tool_calls: calls };
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
  return origin === "messages" || origin === "ollama" ? undefined : "none"; // not every OpenAI model accepts "none"
}

function writeFormat(format: ResponseFormat): Record<string, unknown> {
  if (format.kind === "json_object") return { type: "json_object" };
  const { name, schema, strict } = format;
  return { type: "json_schema", json_schema: { name, schema, ...given("strict", strict) } };
}

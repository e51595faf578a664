// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A stream of chat completion chunks, written. The first has the role, one has the reason to
 * stop, the usage follows only if it was asked for, then [DONE]. A failure is a chunk of its own
 * with nothing behind it: clients take [DONE] and a silent end alike for success.
 *
 * @module
 */

import { sseText } from "../../stream/sse.ts";
import { writeChatUsage, writeFinishReason } from "./chat_wire.ts";
import {
  NO_USAGE,
  type ResponseIdentity,
  type StopReason,
  type StreamEvent,
  type StreamWriter,
  type Usage,
} from "../completion.ts";
import { writeOpenAiFault } from "../fault.ts";
import { given } from "../json_node.ts";
import { createAnswerIds } from "../tool_ids.ts";

export interface ChatStreamOptions {
  /** stream_options.include_usage of the request. */
  readonly includeUsage: boolean;
}

/** One stream that is written. */
interface ChatStream {
  readonly who: ResponseIdentity;
  readonly includeUsage: boolean;
  readonly newId: (id: string) => string;
  /** Calls without arguments so far: they get "{}", because clients parse whatever they received. */
  readonly bare: Set<number>;
  phase: "new" | "open" | "stopped" | "closed";
  usage: Usage;
}

export function createChatStreamWriter(
  who: ResponseIdentity,
  { includeUsage }: ChatStreamOptions,
): StreamWriter {
  const stream: ChatStream = {
    who,
    includeUsage,
    newId: createAnswerIds(),
    bare: new Set(),
    phase: "new",
    usage: NO_USAGE,
  };
  return {
    write: (event) => stream.phase === "closed" ? "" : write(stream, event),
    heartbeat: () => heartbeat(stream),
  };
}

function write(stream: ChatStream, event: StreamEvent): string {
  switch (event.kind) {
    case "start":
      return start(stream);
    case "text":
      return start(stream) + choice(stream, { content: event.text });
    case "thinking":
      return start(stream) + choice(stream, { reasoning_content: event.text });
    case "signature":
    case "redacted":
      return ""; // no place for them
    case "tool":
      stream.bare.add(event.index);
      return call(stream, event.index, {
        id: stream.newId(event.id),
        type: "function",
        function: { name: event.name, arguments: "" },
        ...given("extra_content", event.extra),
      });
    case "arguments":
      stream.bare.delete(event.index);
      return call(stream, event.index, { function: { arguments: event.fragment } });
    case "tool_end":
      return fill(stream, event.index);
    case "usage":
      stream.usage = event.usage;
      return "";
    case "stop":
      return stop(stream, event.reason);
    case "heartbeat":
      return heartbeat(stream);
    case "error":
      stream.phase = "closed";
      return sseText(JSON.stringify(writeOpenAiFault(event.fault)));
    case "end":
      return end(stream);
    default:
      return event satisfies never;
  }
}

function chunk({ who }: ChatStream, fields: Record<string, unknown>): string {
  return sseText(JSON.stringify({
    id: who.id,
    object: "chat.completion.chunk",
    created: who.createdS,
    model: who.model,
    ...fields,
  }));
}

function choice(
  stream: ChatStream,
  delta: Record<string, unknown>,
  reason: string | null = null,
): string {
  return chunk(stream, {
    choices: [{ index: 0, delta, finish_reason: reason }],
    ...(stream.includeUsage ? { usage: null } : {}),
  });
}

function start(stream: ChatStream): string {
  if (stream.phase !== "new") return "";
  stream.phase = "open";
  return choice(stream, { role: "assistant", content: "" });
}

function call(stream: ChatStream, index: number, fields: Record<string, unknown>): string {
  return start(stream) + choice(stream, { tool_calls: [{ index, ...fields }] });
}

function fill(stream: ChatStream, index: number): string {
  return stream.bare.delete(index) ? call(stream, index, { function: { arguments: "{}" } }) : "";
}

function stop(stream: ChatStream, reason: StopReason): string {
  const begin = start(stream);
  if (stream.phase !== "open") return begin;
  const filled = [...stream.bare].map((index) => fill(stream, index)).join("");
  stream.phase = "stopped";
  return begin + filled + choice(stream, {}, writeFinishReason(reason));
}

function end(stream: ChatStream): string {
  const stopped = stop(stream, "end");
  stream.phase = "closed";
  const counted = stream.includeUsage
    ? chunk(stream, { choices: [], usage: writeChatUsage(stream.usage) })
    : "";
  return stopped + counted + sseText("[DONE]");
}

/** A comment is not enough: OpenClaw only counts chunks. */
function heartbeat(stream: ChatStream): string {
  if (stream.phase === "new") return start(stream);
  return stream.phase === "open" ? choice(stream, { content: "" }) : "";
}

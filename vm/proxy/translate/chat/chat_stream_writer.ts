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
} from "../completion.ts";
import { writeOpenAiFault } from "../fault.ts";
import { given } from "../json_node.ts";
import { createAnswerIds } from "../tool_ids.ts";

export interface ChatStreamOptions {
  /** stream_options.include_usage of the request. */
  readonly includeUsage: boolean;
}

export function createChatStreamWriter(
  who: ResponseIdentity,
  options: ChatStreamOptions,
): StreamWriter {
  const newId = createAnswerIds();
  /** Calls without arguments so far: they get "{}", because clients parse whatever they received. */
  const bare = new Set<number>();
  let phase: "new" | "open" | "stopped" | "closed" = "new";
  let usage = NO_USAGE;

  const chunk = (fields: Record<string, unknown>): string =>
    sseText(JSON.stringify({
      id: who.id,
      object: "chat.completion.chunk",
      created: who.createdS,
      model: who.model,
      ...fields,
    }));
  const choice = (delta: Record<string, unknown>, reason: string | null = null): string =>
    chunk({
      choices: [{ index: 0, delta, finish_reason: reason }],
      ...(options.includeUsage ? { usage: null } : {}),
    });
  const start = (): string => {
    if (phase !== "new") return "";
    phase = "open";
    return choice({ role: "assistant", content: "" });
  };
  const call = (index: number, fields: Record<string, unknown>): string =>
    start() + choice({ tool_calls: [{ index, ...fields }] });
  const fill = (index: number): string =>
    bare.delete(index) ? call(index, { function: { arguments: "{}" } }) : "";
  const stop = (reason: StopReason): string => {
    const begin = start();
    if (phase !== "open") return begin;
    const filled = [...bare].map(fill).join("");
    phase = "stopped";
    return begin + filled + choice({}, writeFinishReason(reason));
  };

  function write(event: StreamEvent): string {
    switch (event.kind) {
      case "start":
        return start();
      case "text":
        return start() + choice({ content: event.text });
      case "thinking":
        return start() + choice({ reasoning_content: event.text });
      case "signature":
      case "redacted":
        return ""; // no place for them
      case "tool":
        bare.add(event.index);
        return call(event.index, {
          id: newId(event.id),
          type: "function",
          function: { name: event.name, arguments: "" },
          ...given("extra_content", event.extra),
        });
      case "arguments":
        bare.delete(event.index);
        return call(event.index, { function: { arguments: event.fragment } });
      case "tool_end":
        return fill(event.index);
      case "usage":
        usage = event.usage;
        return "";
      case "stop":
        return stop(event.reason);
      case "heartbeat":
        return heartbeat();
      case "error":
        phase = "closed";
        return sseText(JSON.stringify(writeOpenAiFault(event.fault)));
      case "end": {
        const stopped = stop("end");
        phase = "closed";
        const counted = options.includeUsage
          ? chunk({ choices: [], usage: writeChatUsage(usage) })
          : "";
        return stopped + counted + sseText("[DONE]");
      }
      default:
        return event satisfies never;
    }
  }

  /** A comment is not enough: OpenClaw only counts chunks. */
  function heartbeat(): string {
    if (phase === "new") return start();
    return phase === "open" ? choice({ content: "" }) : "";
  }

  return { write: (event) => phase === "closed" ? "" : write(event), heartbeat };
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A stream of chat completion chunks, read ("The chat completion chunk object").
 *
 *     {"choices":[{"delta":{"role":"assistant","content":""}}]}
 *     {"choices":[{"delta":{"tool_calls":[{"index":0,"id":..,"function":{"name":..}}]}}]}
 *     {"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a"}}]}}]}
 *     {"choices":[{"delta":{},"finish_reason":"tool_calls"}]}
 *     {"choices":[],"usage":{...}}
 *     [DONE]
 *
 * The reason to stop is held back to the end: usage may follow it, and servers that say "stop"
 * after tool calls are put right.
 *
 * @module
 */

import { readArguments } from "./chat_response.ts";
import { isErrorReason, readChatUsage, readContent, readFinishReason } from "./chat_wire.ts";
import type { StopReason, StreamEvent, StreamReader } from "../completion.ts";
import { type Fault, readFault } from "../fault.ts";
import {
  asArray,
  asNumber,
  asOpaqueObject,
  asString,
  field,
  given,
  isAbsent,
  type JsonNode,
  optional,
} from "../json_node.ts";
import { guardStream } from "../stream_guard.ts";
import { TranslationError } from "../translation_error.ts";

export function createChatStreamReader(): StreamReader {
  const calls = createCalls();
  let started = false;
  let stop: StopReason | undefined;

  function readChoice(choice: JsonNode): StreamEvent[] {
    // Further choices only occur when the client asks for n > 1, and those streams are passed on natively.
    if ((optional(field(choice, "index"), asNumber) ?? 0) !== 0) return [];
    const reason = optional(field(choice, "finish_reason"), asString);
    if (reason !== undefined && isErrorReason(reason)) {
      return [{ kind: "error", fault: failed(choice) }];
    }
    if (reason !== undefined && reason !== "") stop = readFinishReason(reason);
    const delta = field(choice, "delta");
    return isAbsent(delta) ? [] : readDelta(delta, calls);
  }

  return guardStream({
    doneMark: "[DONE]",
    isStopped: () => stop !== undefined,
    read(chunk) {
      const error = field(chunk, "error");
      if (!isAbsent(error)) return [{ kind: "error", fault: readFault(undefined, chunk.value) }];
      const events: StreamEvent[] = [];
      if (!started) {
        started = true;
        const id = optional(field(chunk, "id"), asString) ?? "";
        events.push({ kind: "start", id, model: optional(field(chunk, "model"), asString) ?? "" });
      }
      const choices = field(chunk, "choices");
      if (!isAbsent(choices)) events.push(...asArray(choices).flatMap(readChoice));
      const usage = field(chunk, "usage");
      if (!isAbsent(usage)) events.push({ kind: "usage", usage: readChatUsage(usage) });
      return events.length > 0 || stop !== undefined ? events : [{ kind: "heartbeat" }];
    },
    finish() {
      const reason = stop ?? "end"; // [DONE] alone is enough for clients, too
      const called = reason === "end" && calls.count() > 0;
      return [{ kind: "stop", reason: called ? "tool_use" : reason }];
    },
  }, "chunk");
}

/** OpenRouter puts the error into the choice. */
function failed(choice: JsonNode): Fault {
  const error = field(choice, "error");
  return readFault(undefined, isAbsent(error) ? { message: "the answer failed" } : error.value);
}

function readDelta(delta: JsonNode, calls: Calls): StreamEvent[] {
  const text = (key: string): string => optional(field(delta, key), asString) ?? "";
  const events: StreamEvent[] = [];
  const content = readContent(field(delta, "content"));
  const thought = (text("reasoning_content") || text("reasoning")) + content.thought;
  if (thought !== "") events.push({ kind: "thinking", text: thought });
  const said = content.said + text("refusal");
  if (said !== "") events.push({ kind: "text", text: said });
  const toolCalls = field(delta, "tool_calls");
  if (!isAbsent(toolCalls)) {
    for (const call of asArray(toolCalls)) events.push(...calls.read(call));
  }
  return events;
}

interface Calls {
  read(call: JsonNode): StreamEvent[];
  count(): number;
}

/** Numbers calls in the order in which they begin, regardless of the provider's numbering. */
function createCalls(): Calls {
  interface Call {
    readonly ours: number;
    readonly id: string;
  }
  const byIndex = new Map<number, Call>();
  let latest: Call | undefined;
  let count = 0;

  /** Without an index each name begins a call; with one, a new id does, too (older Ollama). */
  function find(index: number | undefined, id: string, name: string): Call | undefined {
    const known = index !== undefined
      ? byIndex.get(index)
      : name === "" || (id !== "" && id === latest?.id)
      ? latest
      : undefined;
    return name !== "" && id !== "" && known?.id !== id ? undefined : known;
  }

  return {
    count: () => count,
    read(call) {
      const called = field(call, "function");
      const hasFunction = !isAbsent(called);
      const index = optional(field(call, "index"), asNumber);
      const id = optional(field(call, "id"), asString) ?? "";
      const name = hasFunction ? optional(field(called, "name"), asString) ?? "" : "";
      const events: StreamEvent[] = [];
      let entry = find(index, id, name);
      if (entry === undefined) {
        if (name === "") throw new TranslationError(call.path, "begins a call without a name", "");
        entry = { ours: count++, id };
        if (index !== undefined) byIndex.set(index, entry);
        const extra = given("extra", optional(field(call, "extra_content"), asOpaqueObject));
        events.push({
          kind: "tool",
          index: entry.ours,
          id: id || `call${entry.ours}`,
          name,
          ...extra,
        });
      }
      latest = entry;
      const fragment = hasFunction ? readArguments(field(called, "arguments")) : "";
      if (fragment !== "") events.push({ kind: "arguments", index: entry.ours, fragment });
      return events;
    },
  };
}

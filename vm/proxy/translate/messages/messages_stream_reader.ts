// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A stream of the messages API, read (platform.claude.com/docs, "Streaming messages").
 *
 *     message_start, then for each block content_block_start, content_block_delta...,
 *     content_block_stop, then message_delta (stop_reason, usage), message_stop; ping anywhere
 *
 * @module
 */

import { NO_USAGE, type StreamEvent, type StreamReader, type Usage } from "../completion.ts";
import { readFault } from "../fault.ts";
import {
  asNumber,
  asObject,
  asString,
  field,
  given,
  isAbsent,
  type JsonNode,
  optional,
  refuseKind,
} from "../json_node.ts";
import { readMessagesUsage, readStopReason } from "./messages_wire.ts";
import { guardStream } from "../stream_guard.ts";
import { TranslationError } from "../translation_error.ts";

/** One stream that is read. */
interface Reading {
  /** Index of the block -> number of the call. */
  readonly tools: Map<number, number>;
  usage: Usage;
  stopped: boolean;
  /** Of the block that is open. */
  sentArguments: boolean;
}

export function createMessagesStreamReader(): StreamReader {
  const reading: Reading = {
    tools: new Map(),
    usage: NO_USAGE,
    stopped: false,
    sentArguments: false,
  };
  return guardStream({
    isStopped: () => reading.stopped,
    finish: () => [],
    read: (event) => readEvent(reading, event),
  }, "event");
}

function readEvent(reading: Reading, event: JsonNode): StreamEvent[] {
  const blockIndex = (): number => asNumber(field(event, "index"));
  switch (asString(field(event, "type"))) {
    case "message_start":
      return startMessage(reading, field(event, "message"));
    case "content_block_start":
      return startBlock(reading, blockIndex(), field(event, "content_block"));
    case "content_block_delta":
      return readDelta(reading, blockIndex(), field(event, "delta"));
    case "content_block_stop":
      return stopBlock(reading, blockIndex());
    case "message_delta":
      return endMessage(reading, event);
    case "message_stop":
      return [{ kind: "end" }];
    case "error":
      return [{ kind: "error", fault: readFault(undefined, event.value) }];
    default: // "ping", and what the versioning policy lets Anthropic add
      return [{ kind: "heartbeat" }];
  }
}

function startMessage(reading: Reading, message: JsonNode): StreamEvent[] {
  reading.usage = readMessagesUsage(field(message, "usage"));
  const id = optional(field(message, "id"), asString) ?? "";
  const model = optional(field(message, "model"), asString) ?? "";
  return [{ kind: "start", id, model }, { kind: "usage", usage: reading.usage }];
}

/** Why it stops, and what it cost; the usage may come alone. */
function endMessage(reading: Reading, event: JsonNode): StreamEvent[] {
  const delta = field(event, "delta");
  reading.usage = readMessagesUsage(field(event, "usage"), reading.usage);
  const reason = field(delta, "stop_reason");
  const events: StreamEvent[] = [{ kind: "usage", usage: reading.usage }];
  if (isAbsent(reason)) return events;
  reading.stopped = true;
  const sequence = optional(field(delta, "stop_sequence"), asString);
  const stop = readStopReason(asString(reason));
  return [...events, { kind: "stop", reason: stop, ...given("stopSequence", sequence) }];
}

function readDelta(reading: Reading, index: number, delta: JsonNode): StreamEvent[] {
  const type = field(delta, "type");
  switch (asString(type)) {
    case "text_delta":
      return [{ kind: "text", text: asString(field(delta, "text")) }];
    case "thinking_delta":
      return [{ kind: "thinking", text: asString(field(delta, "thinking")) }];
    case "signature_delta":
      return [{ kind: "signature", signature: asString(field(delta, "signature")) }];
    case "input_json_delta": {
      const fragment = asString(field(delta, "partial_json"));
      const tool = reading.tools.get(index);
      if (tool === undefined) throw new TranslationError(delta.path, "belongs to no tool", "");
      if (fragment !== "") reading.sentArguments = true;
      return fragment === "" ? [] : [{ kind: "arguments", index: tool, fragment }];
    }
    case "citations_delta": // citations: the other formats have no place for them
      return [];
    default:
      return refuseKind(type, "a delta of type", "tools of your own");
  }
}

function startBlock(reading: Reading, index: number, block: JsonNode): StreamEvent[] {
  const type = field(block, "type");
  const text = (key: string): string => optional(field(block, key), asString) ?? "";
  switch (asString(type)) {
    case "text":
      return text("text") === "" ? [] : [{ kind: "text", text: text("text") }];
    case "thinking":
      return text("thinking") === "" ? [] : [{ kind: "thinking", text: text("thinking") }];
    case "redacted_thinking":
      return [{ kind: "redacted", data: asString(field(block, "data")) }];
    case "tool_use":
      return startTool(reading, index, block);
    default: // other blocks come from server tools
      return refuseKind(type, "content of type", "tools of your own");
  }
}

function startTool(reading: Reading, index: number, block: JsonNode): StreamEvent[] {
  const ours = reading.tools.size;
  reading.tools.set(index, ours);
  const [id, name] = [asString(field(block, "id")), asString(field(block, "name"))];
  const input = optional(field(block, "input"), asObject) ?? {};
  reading.sentArguments = Object.keys(input).length > 0;
  return [
    { kind: "tool", index: ours, id, name },
    ...(reading.sentArguments
      ? [{ kind: "arguments", index: ours, fragment: JSON.stringify(input) } as const]
      : []),
  ];
}

function stopBlock({ tools, sentArguments }: Reading, index: number): StreamEvent[] {
  const tool = tools.get(index);
  if (tool === undefined) return [];
  const nothing = sentArguments
    ? []
    : [{ kind: "arguments", index: tool, fragment: "{}" } as const];
  return [...nothing, { kind: "tool_end", index: tool }];
}

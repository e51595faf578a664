// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A stream of the messages API, read (platform.claude.com/docs, "Streaming messages").
 *
 *     message_start, then for each block content_block_start, content_block_delta...,
 *     content_block_stop, then message_delta (stop_reason, usage), message_stop; ping anywhere
 *
 * @module
 */

import { NO_USAGE, type StreamEvent, type StreamReader } from "../completion.ts";
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

export function createMessagesStreamReader(): StreamReader {
  const tools = new Map<number, number>(); // index of the block -> number of the call
  let usage = NO_USAGE;
  let stopped = false;
  let sentArguments = false;

  function readDelta(index: number, delta: JsonNode): StreamEvent[] {
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
        const tool = tools.get(index);
        if (tool === undefined) throw new TranslationError(delta.path, "belongs to no tool", "");
        if (fragment !== "") sentArguments = true;
        return fragment === "" ? [] : [{ kind: "arguments", index: tool, fragment }];
      }
      case "citations_delta": // citations: the other formats have no place for them
        return [];
      default:
        return refuseKind(type, "a delta of type", "tools of your own");
    }
  }

  function startBlock(index: number, block: JsonNode): StreamEvent[] {
    const type = field(block, "type");
    const text = (key: string): string => optional(field(block, key), asString) ?? "";
    switch (asString(type)) {
      case "text":
        return text("text") === "" ? [] : [{ kind: "text", text: text("text") }];
      case "thinking":
        return text("thinking") === "" ? [] : [{ kind: "thinking", text: text("thinking") }];
      case "redacted_thinking":
        return [{ kind: "redacted", data: asString(field(block, "data")) }];
      case "tool_use": {
        const ours = tools.size;
        tools.set(index, ours);
        const [id, name] = [asString(field(block, "id")), asString(field(block, "name"))];
        const input = optional(field(block, "input"), asObject) ?? {};
        sentArguments = Object.keys(input).length > 0;
        return [
          { kind: "tool", index: ours, id, name },
          ...(sentArguments
            ? [{ kind: "arguments", index: ours, fragment: JSON.stringify(input) } as const]
            : []),
        ];
      }
      default: // other blocks come from server tools
        return refuseKind(type, "content of type", "tools of your own");
    }
  }

  function stopBlock(index: number): StreamEvent[] {
    const tool = tools.get(index);
    if (tool === undefined) return [];
    const nothing = sentArguments
      ? []
      : [{ kind: "arguments", index: tool, fragment: "{}" } as const];
    return [...nothing, { kind: "tool_end", index: tool }];
  }

  return guardStream({
    isStopped: () => stopped,
    finish: () => [],
    read(event) {
      const blockIndex = (): number => asNumber(field(event, "index"));
      switch (asString(field(event, "type"))) {
        case "message_start": {
          const message = field(event, "message");
          usage = readMessagesUsage(field(message, "usage"));
          const id = optional(field(message, "id"), asString) ?? "";
          const model = optional(field(message, "model"), asString) ?? "";
          return [{ kind: "start", id, model }, { kind: "usage", usage }];
        }
        case "content_block_start":
          return startBlock(blockIndex(), field(event, "content_block"));
        case "content_block_delta":
          return readDelta(blockIndex(), field(event, "delta"));
        case "content_block_stop":
          return stopBlock(blockIndex());
        case "message_delta": {
          const delta = field(event, "delta");
          usage = readMessagesUsage(field(event, "usage"), usage);
          const reason = field(delta, "stop_reason");
          const events: StreamEvent[] = [{ kind: "usage", usage }];
          if (isAbsent(reason)) return events;
          stopped = true;
          const sequence = optional(field(delta, "stop_sequence"), asString);
          const stop = readStopReason(asString(reason));
          return [...events, { kind: "stop", reason: stop, ...given("stopSequence", sequence) }];
        }
        case "message_stop":
          return [{ kind: "end" }];
        case "error":
          return [{ kind: "error", fault: readFault(undefined, event.value) }];
        default: // "ping", and what the versioning policy lets Anthropic add
          return [{ kind: "heartbeat" }];
      }
    },
  }, "event");
}

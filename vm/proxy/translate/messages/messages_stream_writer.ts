// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A stream of the messages API, written. Its blocks come one after the other, while chat
 * completions may mix the arguments of several calls and never say that one is whole; so while
 * a call is open, what is not of this call waits.
 *
 * @module
 */

import { sseText } from "../../stream/sse.ts";
import {
  type AnswerIdentity,
  NO_USAGE,
  type StopReason,
  type StreamEvent,
  type StreamWriter,
  type Usage,
} from "../completion.ts";
import { writeAnthropicFault } from "../fault.ts";
import { writeMessagesUsage, writeStopReason } from "./messages_wire.ts";
import { createBlockWriter } from "./messages_stream_blocks.ts";

function emptyMessage({ id, model }: AnswerIdentity, usage: Usage): Record<string, unknown> {
  return {
    id,
    type: "message",
    role: "assistant",
    model,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: writeMessagesUsage(usage),
  };
}

export function createMessagesStreamWriter(who: AnswerIdentity): StreamWriter {
  let phase: "new" | "open" | "closed" = "new";
  let usage = NO_USAGE;
  let stop: StopReason = "end";
  let stopSequence: string | undefined;
  const send = (type: string, fields: Record<string, unknown>): string =>
    sseText(JSON.stringify({ type, ...fields }), type);
  const blocks = createBlockWriter(send, who.maker);

  function start(): string {
    if (phase !== "new") return "";
    phase = "open";
    return send("message_start", { message: emptyMessage(who, usage) });
  }

  function write(event: StreamEvent): string {
    switch (event.kind) {
      case "start":
        return start();
      case "usage":
        usage = event.usage;
        return "";
      case "stop":
        stop = event.reason;
        stopSequence = event.stopSequence;
        return start() + blocks.finish();
      case "heartbeat":
        return heartbeat();
      case "error":
        phase = "closed";
        return sseText(JSON.stringify(writeAnthropicFault(event.fault, who.id)), "error");
      case "end": {
        const rest = start() + blocks.finish();
        phase = "closed";
        const delta = {
          stop_reason: writeStopReason(stop),
          stop_sequence: stopSequence ?? null,
        };
        return rest + send("message_delta", { delta, usage: writeMessagesUsage(usage) }) +
          send("message_stop", {});
      }
      default:
        return start() + blocks.write(event);
    }
  }

  function heartbeat(): string {
    if (phase === "new") return start();
    return phase === "open" ? blocks.heartbeat() + send("ping", {}) : "";
  }

  return { write: (event) => phase === "closed" ? "" : write(event), heartbeat };
}

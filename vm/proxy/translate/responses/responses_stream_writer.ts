// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A stream of POST /v1/responses, written: created, in_progress, then each item with its added,
 * its deltas and its done, then completed with all of it. Every event is named and numbered.
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
} from "../completion.ts";
import { type Fault, writeOpenAiFault } from "../fault.ts";
import {
  finishedResponse,
  incompleteReason,
  type Item,
  responseObject,
} from "./responses_response.ts";
import { createItemWriter } from "./responses_stream_items.ts";
import type { ToolForms } from "./responses_tools.ts";

/** Receives the finished items, to which the client may refer later. */
export type OnFinished = (output: readonly Item[]) => void;

type Send = (type: string, fields: Readonly<Record<string, unknown>>) => string;

/** The error event for clients that throw at "error", the object for those that wait for it. */
function failureEvents(
  who: AnswerIdentity,
  fault: Fault,
  output: readonly Item[],
  send: Send,
): string {
  const { error } = writeOpenAiFault(fault);
  const failure = { code: fault.code ?? "server_error", message: fault.message };
  const response = responseObject(who, "failed", { error: failure, output });
  return send("response.failed", { response }) +
    send("error", { ...failure, param: null, error });
}

function finishedEvent(response: unknown, stop: StopReason, send: Send): string {
  const type = incompleteReason(stop) === null ? "response.completed" : "response.incomplete";
  return send(type, { response });
}

export function createResponsesStreamWriter(
  who: AnswerIdentity,
  forms: ToolForms = new Map(),
  onFinished: OnFinished = () => {},
): StreamWriter {
  let phase: "new" | "open" | "closed" = "new";
  let sequence = 0;
  let usage = NO_USAGE;
  let stop: StopReason = "end";
  const send: Send = (type, fields) =>
    sseText(JSON.stringify({ type, sequence_number: sequence++, ...fields }), type);
  const items = createItemWriter(who, send, forms);
  function start(): string {
    if (phase !== "new") return "";
    phase = "open";
    const response = responseObject(who, "in_progress", {});
    return send("response.created", { response }) + send("response.in_progress", { response });
  }

  function fail(fault: Fault): string {
    const begin = start();
    phase = "closed";
    return begin + failureEvents(who, fault, items.output(), send);
  }

  function finish(): string {
    const rest = start() + items.finish();
    phase = "closed";
    const output = items.output();
    onFinished(output);
    return rest + finishedEvent(finishedResponse(who, stop, output, usage), stop, send);
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
        return start() + items.finish();
      case "heartbeat":
        return heartbeat();
      case "error":
        return fail(event.fault);
      case "end":
        return finish();
      default:
        return start() + items.write(event);
    }
  }

  /** OpenAI's own event; another "in_progress" would make the SDK drop the items so far. */
  const heartbeat = (): string =>
    phase === "new" ? start() : phase === "open" ? send("keepalive", {}) : "";

  return { write: (event) => phase === "closed" ? "" : write(event), heartbeat };
}

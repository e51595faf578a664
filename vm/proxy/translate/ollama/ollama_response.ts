// SPDX-License-Identifier: GPL-2.0-or-later
/** An answer of Ollama's /api/chat, whole and as lines of JSON (docs.ollama.com/api/chat). @module */

import {
  type Completion,
  NO_USAGE,
  type ResponseIdentity,
  type StopReason,
  type StreamEvent,
  type StreamWriter,
  type Usage,
} from "../completion.ts";
import type { Fault } from "../fault.ts";
import { inputOf } from "../text_parts.ts";
import { createAnswerIds } from "../tool_ids.ts";

type Fields = Record<string, unknown>;

/** {"error":"text"}, as a body and as the last line of a stream. */
export const writeOllamaFault = ({ message }: Fault): Fields => ({ error: message });

export function writeOllamaResponse(completion: Completion, who: ResponseIdentity): Fields {
  const newId = createAnswerIds();
  const join = (kind: "text" | "thinking"): string =>
    completion.parts.flatMap((part) => part.kind === kind ? [part.text] : []).join("");
  const calls = completion.parts.flatMap((part) =>
    part.kind === "tool_call" ? [callOf(newId(part.id), part.name, part.arguments)] : []
  );
  const thought = join("thinking");
  const message = {
    role: "assistant",
    content: join("text"),
    ...(thought === "" ? {} : { thinking: thought }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  };
  return { ...headOf(who), message, ...endOf(completion.stop, completion.usage) };
}

const callOf = (id: string, name: string, text: string): Fields => ({
  id,
  function: { name, arguments: inputOf(text) },
});

const headOf = ({ model, createdS }: ResponseIdentity): Fields => ({
  model,
  created_at: new Date(createdS * 1000).toISOString(),
});

/** The durations are unknown here; clients divide by them, and treat 0 as unknown. */
const endOf = (stop: StopReason, { inputTokens, outputTokens }: Usage): Fields => ({
  done: true,
  done_reason: stop === "max_tokens" || stop === "context_full" ? "length" : "stop",
  total_duration: 0,
  load_duration: 0,
  prompt_eval_count: inputTokens,
  prompt_eval_duration: 0,
  eval_count: outputTokens,
  eval_duration: 0,
});

/** A keep-alive line. */
export const ollamaHeartbeat = (who: ResponseIdentity): string => line(who, {});

const line = (who: ResponseIdentity, message: Fields): string =>
  JSON.stringify({
    ...headOf(who),
    message: { role: "assistant", content: "", ...message },
    done: false,
  }) + "\n";

interface OpenCall {
  readonly id: string;
  readonly name: string;
  readonly pieces: string[];
}

/** A call is written when it is complete: Ollama does not stream parts of one. */
export function createOllamaStreamWriter(who: ResponseIdentity): StreamWriter {
  const newId = createAnswerIds();
  const calls = new Map<number, OpenCall>();
  let usage = NO_USAGE;
  let stop: StopReason = "end";
  let closed = false;

  function finish(index: number): string {
    const call = calls.get(index);
    calls.delete(index);
    if (call === undefined) return "";
    return line(who, { tool_calls: [callOf(call.id, call.name, call.pieces.join(""))] });
  }

  function write(event: StreamEvent): string {
    switch (event.kind) {
      case "text":
        return line(who, { content: event.text });
      case "thinking":
        return line(who, { thinking: event.text });
      case "tool":
        calls.set(event.index, { id: newId(event.id), name: event.name, pieces: [] });
        return "";
      case "arguments":
        calls.get(event.index)?.pieces.push(event.fragment);
        return "";
      case "tool_end":
        return finish(event.index);
      case "usage":
        usage = event.usage;
        return "";
      case "stop":
        stop = event.reason;
        return [...calls.keys()].map(finish).join("");
      case "heartbeat":
        return ollamaHeartbeat(who);
      case "start":
      case "signature":
      case "redacted":
        return ""; // no place for them
      case "error":
        closed = true;
        return JSON.stringify(writeOllamaFault(event.fault)) + "\n";
      case "end": {
        const rest = [...calls.keys()].map(finish).join("");
        closed = true;
        const message = { role: "assistant", content: "" };
        return rest + JSON.stringify({ ...headOf(who), message, ...endOf(stop, usage) }) + "\n";
      }
      default:
        return event satisfies never;
    }
  }

  return {
    write: (event) => closed ? "" : write(event),
    heartbeat: () => closed ? "" : ollamaHeartbeat(who),
  };
}

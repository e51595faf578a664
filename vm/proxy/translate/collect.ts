// SPDX-License-Identifier: GPL-2.0-or-later
/** A stream as one answer, and one answer as a stream. @module */

import {
  type Completion,
  NO_USAGE,
  type StopReason,
  type StreamEvent,
  type Usage,
} from "./completion.ts";
import type { AssistantPart, ThinkingPart, ToolCallPart } from "./conversation.ts";
import { type Fault, fault } from "./fault.ts";
import { given } from "./json_node.ts";

export interface Collector {
  push(event: StreamEvent): void;
  /** A fault if the stream failed, or did not end. */
  result():
    | { readonly completion: Completion; readonly fault?: undefined }
    | { readonly completion?: undefined; readonly fault: Fault };
}

/** What came of one stream so far. Texts stay in pieces until the end: joining each time is slow. */
interface Collected {
  readonly blocks: Block[];
  readonly calls: Map<number, Block>;
  id: string;
  model: string;
  usage: Usage;
  stop: StopReason;
  stopSequence: string | undefined;
  ended: boolean;
  failed: Fault | undefined;
}

/** Joins the events of one stream. */
export function createCollector(): Collector {
  const all: Collected = {
    blocks: [],
    calls: new Map(),
    id: "",
    model: "",
    usage: NO_USAGE,
    stop: "end",
    stopSequence: undefined,
    ended: false,
    failed: undefined,
  };
  return {
    push(event) {
      if (!all.ended && all.failed === undefined) collect(all, event);
    },
    result() {
      const { blocks, id, model, usage, stop, stopSequence, ended, failed } = all;
      if (failed !== undefined) return { fault: failed };
      if (!ended) return { fault: fault("server", "the stream ended before its answer was whole") };
      const parts = blocks.map(partOf);
      const sequence = stopSequence === undefined ? {} : { stopSequence };
      return { completion: { id, model, parts, stop, ...sequence, usage } };
    },
  };
}

function collect(all: Collected, event: StreamEvent): void {
  const { blocks, calls } = all;
  switch (event.kind) {
    case "start":
      [all.id, all.model] = [event.id, event.model];
      return;
    case "text":
    case "thinking":
      return append(blocks, event.kind, event.text);
    case "signature": {
      if (blocks.at(-1)?.kind !== "thinking") append(blocks, "thinking", "");
      const last = blocks.at(-1);
      if (last !== undefined) [last.signature, last.closed] = [event.signature, true];
      return;
    }
    case "redacted":
      blocks.push({ ...EMPTY, kind: "redacted", pieces: [event.data] });
      return;
    case "tool": {
      const { id, name } = event;
      const extra = given("extra", event.extra);
      const block: Block = { ...EMPTY, ...extra, kind: "tool_call", pieces: [], id, name };
      blocks.push(block);
      calls.set(event.index, block);
      return;
    }
    case "arguments":
      calls.get(event.index)?.pieces.push(event.fragment);
      return;
    case "usage":
      all.usage = event.usage;
      return;
    case "stop":
      [all.stop, all.stopSequence] = [event.reason, event.stopSequence];
      return;
    case "error":
      all.failed = event.fault;
      return;
    case "end":
      all.ended = true;
      return;
    case "tool_end":
    case "heartbeat":
      return;
    default:
      return event satisfies never;
  }
}

function append(blocks: Block[], kind: "text" | "thinking", text: string): void {
  const last = blocks.at(-1);
  if (last?.kind === kind && !last.closed) last.pieces.push(text);
  else blocks.push({ ...EMPTY, kind, pieces: [text], closed: false });
}

interface Block {
  kind: AssistantPart["kind"];
  id: string;
  name: string;
  pieces: string[];
  signature: string;
  closed: boolean;
  extra?: Readonly<Record<string, unknown>>;
}

const EMPTY = { id: "", name: "", signature: "", closed: true };

function partOf({ kind, id, name, pieces, signature, extra }: Block): AssistantPart {
  const text = pieces.join("");
  switch (kind) {
    case "text":
      return { kind, text };
    case "thinking":
      return { kind, text, signature };
    case "redacted":
      return { kind, data: text };
    case "tool_call":
      return {
        kind,
        id,
        name,
        arguments: text,
        ...given("extra", extra && { maker: "", fields: extra }),
      };
    default:
      return kind satisfies never;
  }
}

/** For a client that asked for a stream where the provider gave one answer. */
export function completionEvents(completion: Completion): StreamEvent[] {
  const { id, model, parts, usage, stop, stopSequence } = completion;
  let calls = 0;
  return [
    { kind: "start", id, model },
    ...parts.flatMap((part): StreamEvent[] => {
      switch (part.kind) {
        case "text":
          return [{ kind: "text", text: part.text }];
        case "thinking":
          return thinkingEvents(part);
        case "redacted":
          return [{ kind: "redacted", data: part.data }];
        case "tool_call":
          return callEvents(part, calls++);
        default:
          return part satisfies never;
      }
    }),
    { kind: "usage", usage },
    { kind: "stop", reason: stop, ...(stopSequence === undefined ? {} : { stopSequence }) },
    { kind: "end" },
  ];
}

const thinkingEvents = ({ text, signature }: ThinkingPart): StreamEvent[] => [
  { kind: "thinking", text },
  ...(signature === "" ? [] : [{ kind: "signature", signature } as const]),
];

const callEvents = (
  { id, name, arguments: fragment, extra }: ToolCallPart,
  index: number,
): StreamEvent[] => [
  { kind: "tool", index, id, name, ...given("extra", extra?.fields) },
  { kind: "arguments", index, fragment: fragment === "" ? "{}" : fragment },
  { kind: "tool_end", index },
];

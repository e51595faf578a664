// SPDX-License-Identifier: GPL-2.0-or-later
/** The content blocks of a messages stream, in order and one at a time. @module */

import type { StreamEvent } from "../completion.ts";
import { seal, sealExtra } from "../provenance.ts";
import { createAnswerIds } from "../tool_ids.ts";

export type ContentEvent = Exclude<
  StreamEvent,
  { readonly kind: "start" | "usage" | "stop" | "heartbeat" | "error" | "end" }
>;

export interface BlockWriter {
  write(event: ContentEvent): string;
  /** Writes what waits and closes what is open. */
  finish(): string;
  /** An empty delta if a block is open: some clients watch for deltas, not for pings. */
  heartbeat(): string;
}

type Send = (type: string, fields: Record<string, unknown>) => string;

interface Open {
  readonly kind: "text" | "thinking" | "redacted" | "tool";
  /** Of the call; -1 for what is none. */
  readonly tool: number;
}

/** @param maker the provider that answers: its signatures are sealed with its name */
export function createBlockWriter(send: Send, maker: string): BlockWriter {
  const newId = createAnswerIds();
  let waiting: ContentEvent[] = [];
  let open: Open | undefined;
  let index = -1;

  const delta = (fields: Record<string, unknown>): string =>
    send("content_block_delta", { index, delta: fields });
  const begin = (kind: Open["kind"], block: Record<string, unknown>, tool = -1): string => {
    const closed = close();
    open = { kind, tool };
    index++;
    return closed + send("content_block_start", { index, content_block: block });
  };
  /** Unsigned thinking is sealed, too, so that its maker is known later. */
  const close = (signature = ""): string => {
    if (open === undefined) return "";
    const signed = open.kind === "thinking"
      ? delta({ type: "signature_delta", signature: seal(maker, signature) })
      : "";
    open = undefined;
    return signed + send("content_block_stop", { index });
  };

  const redacted = (data: string): string =>
    begin("redacted", { type: "redacted_thinking", data }) + close();

  const toolOpen = (): Open | undefined => open?.kind === "tool" ? open : undefined;

  function put(event: ContentEvent): string {
    switch (event.kind) {
      case "text":
        return (open?.kind === "text" ? "" : begin("text", { type: "text", text: "" })) +
          delta({ type: "text_delta", text: event.text });
      case "thinking": {
        const block = { type: "thinking", thinking: "", signature: "" };
        return (open?.kind === "thinking" ? "" : begin("thinking", block)) +
          delta({ type: "thinking_delta", thinking: event.text });
      }
      case "signature":
        if (open?.kind !== "thinking") return "";
        return close(event.signature);
      case "redacted":
        return redacted(event.data);
      case "tool": {
        const { index: tool, name, extra } = event;
        const id = newId(event.id);
        const before = extra === undefined ? "" : redacted(sealExtra(id, { maker, fields: extra }));
        return before + begin("tool", { type: "tool_use", id, name, input: {} }, tool);
      }
      case "arguments":
        return delta({ type: "input_json_delta", partial_json: event.fragment });
      case "tool_end":
        return close();
      default:
        return event satisfies never;
    }
  }

  /** Writes what waits, each call with its own events, until a call is open that may continue. */
  function drain(all: boolean): string {
    let text = "";
    while (waiting.length > 0 && toolOpen() === undefined) {
      const [first, ...rest] = waiting;
      if (first === undefined) break;
      const own = first.kind === "tool" ? rest.filter((event) => isOf(event, first.index)) : [];
      waiting = first.kind === "tool" ? rest.filter((event) => !isOf(event, first.index)) : rest;
      text += [first, ...own].map(put).join("");
      if (all && toolOpen() !== undefined) text += close();
    }
    return text;
  }

  return {
    write(event) {
      const tool = toolOpen();
      if (tool !== undefined && !isOf(event, tool.tool)) {
        waiting.push(event);
        return "";
      }
      return put(event) + drain(false);
    },
    finish: () => (toolOpen() === undefined ? "" : close()) + drain(true) + close(),
    heartbeat: () => open?.kind === "text" ? delta({ type: "text_delta", text: "" }) : "",
  };
}

const isOf = (event: ContentEvent, tool: number): boolean =>
  (event.kind === "arguments" || event.kind === "tool_end") && event.index === tool;

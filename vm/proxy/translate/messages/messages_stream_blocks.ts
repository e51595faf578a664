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
  /** The call's index; -1 for other blocks. */
  readonly tool: number;
}

/** The blocks of one stream. */
interface Blocks {
  readonly send: Send;
  readonly maker: string;
  readonly newId: (id: string) => string;
  waiting: ContentEvent[];
  open: Open | undefined;
  index: number;
}

/** @param maker the provider that answers: its signatures are sealed with its name */
export function createBlockWriter(send: Send, maker: string): BlockWriter {
  const blocks: Blocks = {
    send,
    maker,
    newId: createAnswerIds(),
    waiting: [],
    open: undefined,
    index: -1,
  };
  return {
    write(event) {
      const tool = openTool(blocks);
      if (tool !== undefined && !isOf(event, tool.tool)) {
        blocks.waiting.push(event);
        return "";
      }
      return put(blocks, event) + drain(blocks, false);
    },
    finish: () =>
      (openTool(blocks) === undefined ? "" : close(blocks)) + drain(blocks, true) + close(blocks),
    heartbeat: () =>
      blocks.open?.kind === "text" ? delta(blocks, { type: "text_delta", text: "" }) : "",
  };
}

const openTool = ({ open }: Blocks): Open | undefined => open?.kind === "tool" ? open : undefined;

function put(blocks: Blocks, event: ContentEvent): string {
  const { open, maker } = blocks;
  switch (event.kind) {
    case "text":
      return (open?.kind === "text" ? "" : begin(blocks, "text", { type: "text", text: "" })) +
        delta(blocks, { type: "text_delta", text: event.text });
    case "thinking": {
      const block = { type: "thinking", thinking: "", signature: "" };
      return (open?.kind === "thinking" ? "" : begin(blocks, "thinking", block)) +
        delta(blocks, { type: "thinking_delta", thinking: event.text });
    }
    case "signature":
      if (open?.kind !== "thinking") return "";
      return close(blocks, event.signature);
    case "redacted":
      return redacted(blocks, event.data);
    case "tool": {
      const { index: tool, name, extra } = event;
      const id = blocks.newId(event.id);
      const before = extra === undefined
        ? ""
        : redacted(blocks, sealExtra(id, { maker, fields: extra }));
      return before + begin(blocks, "tool", { type: "tool_use", id, name, input: {} }, tool);
    }
    case "arguments":
      return delta(blocks, { type: "input_json_delta", partial_json: event.fragment });
    case "tool_end":
      return close(blocks);
    default:
      return event satisfies never;
  }
}

/** Writes what waits, each call with its own events, until a call is open that may continue. */
function drain(blocks: Blocks, all: boolean): string {
  let text = "";
  while (blocks.waiting.length > 0 && openTool(blocks) === undefined) {
    const [first, ...rest] = blocks.waiting;
    if (first === undefined) break;
    const own = first.kind === "tool" ? rest.filter((event) => isOf(event, first.index)) : [];
    blocks.waiting = first.kind === "tool"
      ? rest.filter((event) => !isOf(event, first.index))
      : rest;
    text += [first, ...own].map((event) => put(blocks, event)).join("");
    if (all && openTool(blocks) !== undefined) text += close(blocks);
  }
  return text;
}

function delta({ send, index }: Blocks, fields: Record<string, unknown>): string {
  return send("content_block_delta", { index, delta: fields });
}

function begin(
  blocks: Blocks,
  kind: Open["kind"],
  block: Record<string, unknown>,
  tool = -1,
): string {
  const closed = close(blocks);
  blocks.open = { kind, tool };
  blocks.index++;
  return closed + blocks.send("content_block_start", { index: blocks.index, content_block: block });
}

/** Unsigned thinking is sealed, too, so that its maker is known later. */
function close(blocks: Blocks, signature = ""): string {
  const { open, maker, index } = blocks;
  if (open === undefined) return "";
  const signed = open.kind === "thinking"
    ? delta(blocks, { type: "signature_delta", signature: seal(maker, signature) })
    : "";
  blocks.open = undefined;
  return signed + blocks.send("content_block_stop", { index });
}

function redacted(blocks: Blocks, data: string): string {
  return begin(blocks, "redacted", { type: "redacted_thinking", data }) + close(blocks);
}

const isOf = (event: ContentEvent, tool: number): boolean =>
  (event.kind === "arguments" || event.kind === "tool_end") && event.index === tool;

// SPDX-License-Identifier: GPL-2.0-or-later
/** The items of a responses stream. Calls may be open at the same time; texts only one. @module */

import type { ResponseIdentity, StreamEvent } from "./completion.ts";
import {
  callItem,
  type Item,
  itemId,
  messageItem,
  reasoningItem,
  summaryContent,
  textContent,
} from "./responses_response.ts";
import { createAnswerIds } from "./tool_ids.ts";

type ItemEvent = Extract<
  StreamEvent,
  { readonly kind: "text" | "thinking" | "tool" | "arguments" | "tool_end" }
>;

export interface ItemWriter {
  write(event: ItemEvent): string;
  /** Closes what is open. */
  finish(): string;
  /** The items that are whole, in order. */
  output(): Item[];
}

type Send = (type: string, fields: Readonly<Record<string, unknown>>) => string;

interface Open {
  readonly kind: "text" | "thinking" | "call";
  readonly at: { readonly item_id: string; readonly output_index: number };
  readonly pieces: string[];
  readonly callId: string;
  readonly name: string;
}

export function createItemWriter(who: ResponseIdentity, send: Send): ItemWriter {
  const newId = createAnswerIds();
  const done: (Item | undefined)[] = [];
  const calls = new Map<number, Open>();
  let prose: Open | undefined;

  function open(kind: Open["kind"], callId = "", name = ""): Open {
    const output_index = done.push(undefined) - 1;
    const at = { item_id: itemId(who, output_index), output_index };
    return { kind, at, pieces: [], callId, name };
  }

  function close(closing: Open): string {
    const { at, pieces } = closing;
    const [events, item] = closeEvents(closing, pieces.join(""), send);
    done[at.output_index] = item;
    return events + send("response.output_item.done", { output_index: at.output_index, item });
  }

  function closeProse(): string {
    const closing = prose;
    prose = undefined;
    return closing === undefined ? "" : close(closing);
  }

  function writeProse(kind: "text" | "thinking", text: string): string {
    let begin = "";
    if (prose?.kind !== kind) {
      begin = closeProse();
      prose = open(kind);
      begin += openEvents(prose, send);
    }
    prose.pieces.push(text);
    const part = kind === "text" ? { content_index: 0 } : { summary_index: 0 };
    const type = kind === "text" ? "output_text" : "reasoning_summary_text";
    return begin + send(`response.${type}.delta`, { ...prose.at, ...part, delta: text });
  }

  function closeCall(index: number): string {
    const closing = calls.get(index);
    if (closing === undefined) return "";
    calls.delete(index);
    return close(closing);
  }

  return {
    write(event) {
      switch (event.kind) {
        case "text":
        case "thinking":
          return writeProse(event.kind, event.text);
        case "tool": {
          const before = closeProse();
          const call = open("call", newId(event.id), event.name);
          calls.set(event.index, call);
          return before + openEvents(call, send);
        }
        case "arguments": {
          const call = calls.get(event.index);
          if (call === undefined) return "";
          call.pieces.push(event.fragment);
          const type = "response.function_call_arguments.delta";
          return send(type, { ...call.at, delta: event.fragment });
        }
        case "tool_end":
          return closeCall(event.index);
        default:
          return event satisfies never;
      }
    },
    finish: () => closeProse() + [...calls.keys()].map(closeCall).join(""),
    output: () => done.filter((item) => item !== undefined),
  };
}

function openEvents({ kind, at, callId, name }: Open, send: Send): string {
  const added = (item: Item): string =>
    send("response.output_item.added", { output_index: at.output_index, item });
  switch (kind) {
    case "text":
      return added(messageItem(at.item_id, "in_progress", [])) +
        send("response.content_part.added", { ...at, content_index: 0, part: textContent("") });
    case "thinking":
      return added(reasoningItem(at.item_id, [])) +
        send("response.reasoning_summary_part.added", {
          ...at,
          summary_index: 0,
          part: summaryContent(""),
        });
    case "call":
      return added(callItem(at.item_id, "in_progress", { callId, name, arguments: "" }));
    default:
      return kind satisfies never;
  }
}

function closeEvents(closing: Open, text: string, send: Send): [events: string, item: Item] {
  const { kind, at, callId, name } = closing;
  switch (kind) {
    case "text": {
      const place = { ...at, content_index: 0 };
      const part = textContent(text);
      const events = send("response.output_text.done", { ...place, text }) +
        send("response.content_part.done", { ...place, part });
      return [events, messageItem(at.item_id, "completed", [part])];
    }
    case "thinking": {
      const place = { ...at, summary_index: 0 };
      const part = summaryContent(text);
      const events = send("response.reasoning_summary_text.done", { ...place, text }) +
        send("response.reasoning_summary_part.done", { ...place, part });
      return [events, reasoningItem(at.item_id, [part])];
    }
    case "call": {
      const whole = text === "" ? "{}" : text;
      const fields = { ...at, name, arguments: whole };
      const events = send("response.function_call_arguments.done", fields);
      return [events, callItem(at.item_id, "completed", { callId, name, arguments: whole })];
    }
    default:
      return kind satisfies never;
  }
}

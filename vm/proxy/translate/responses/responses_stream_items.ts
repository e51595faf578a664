// SPDX-License-Identifier: GPL-2.0-or-later
/** The items of a responses stream. Calls may be open at the same time; texts only one. @module */

import type { AnswerIdentity, StreamEvent } from "../completion.ts";
import type { ToolForm } from "../conversation.ts";
import { type ItemPrefix, ownItemId, sealExtra } from "../provenance.ts";
import {
  type Item,
  messageItem,
  reasoningItem,
  sealRedacted,
  sealThinking,
  summaryContent,
  textContent,
} from "./responses_response.ts";
import { callItem, customInput, prefixOf, type ToolForms } from "./responses_tools.ts";
import { createAnswerIds } from "../tool_ids.ts";

type ItemEvent = Extract<
  StreamEvent,
  {
    readonly kind:
      | "text"
      | "thinking"
      | "signature"
      | "redacted"
      | "tool"
      | "arguments"
      | "tool_end";
  }
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
  readonly form: ToolForm | undefined;
}

/** Arguments of a custom tool are sent as its text, when they are whole. */
const isWholeOnly = ({ form }: Open): boolean =>
  form?.kind === "custom" || form?.kind === "local_shell";

/** The items of one stream. */
interface Items {
  readonly who: AnswerIdentity;
  readonly send: Send;
  readonly forms: ToolForms;
  readonly newId: (id: string) => string;
  /** undefined: it is open. */
  readonly done: (Item | undefined)[];
  readonly calls: Map<number, Open>;
  prose: Open | undefined;
}

export function createItemWriter(who: AnswerIdentity, send: Send, forms: ToolForms): ItemWriter {
  const items: Items = {
    who,
    send,
    forms,
    newId: createAnswerIds(),
    done: [],
    calls: new Map(),
    prose: undefined,
  };
  return {
    write: (event) => write(items, event),
    finish: () =>
      closeProse(items) + [...items.calls.keys()].map((index) => closeCall(items, index)).join(""),
    output: () => items.done.filter((item) => item !== undefined),
  };
}

function write(items: Items, event: ItemEvent): string {
  const { who, send, calls, prose } = items;
  switch (event.kind) {
    case "text":
    case "thinking":
      return writeProse(items, event.kind, event.text);
    case "signature":
      return prose?.kind === "thinking" ? closeProse(items, event.signature) : "";
    case "redacted":
      return closeProse(items) + writeSealed(items, sealRedacted(who.maker, event.data));
    case "tool": {
      const { index, name, extra } = event;
      const callId = items.newId(event.id);
      const sealed = extra === undefined
        ? null
        : sealExtra(callId, { maker: who.maker, fields: extra });
      const before = closeProse(items) + (sealed === null ? "" : writeSealed(items, sealed));
      const call = openCall(items, callId, name);
      calls.set(index, call);
      return before + openEvents(call, send);
    }
    case "arguments": {
      const call = calls.get(event.index);
      if (call === undefined) return "";
      call.pieces.push(event.fragment);
      if (isWholeOnly(call)) return "";
      const type = "response.function_call_arguments.delta";
      return send(type, { ...call.at, delta: event.fragment });
    }
    case "tool_end":
      return closeCall(items, event.index);
    default:
      return event satisfies never;
  }
}

function placeOf({ who, done }: Items, prefix: ItemPrefix): Open["at"] {
  const output_index = done.push(undefined) - 1;
  return { item_id: ownItemId(prefix, who.id, output_index), output_index };
}

function openProse(items: Items, kind: "text" | "thinking"): Open {
  return {
    kind,
    at: placeOf(items, kind === "text" ? "msg" : "rs"),
    pieces: [],
    callId: "",
    name: "",
    form: undefined,
  };
}

function openCall(items: Items, callId: string, name: string): Open {
  const form = items.forms.get(name);
  return { kind: "call", at: placeOf(items, prefixOf(form)), pieces: [], callId, name, form };
}

/** Reasoning without a summary, which only its maker can read. */
function writeSealed(items: Items, sealed: string): string {
  const { item_id, output_index } = placeOf(items, "rs");
  const item = reasoningItem(item_id, [], sealed);
  items.done[output_index] = item;
  return items.send("response.output_item.added", { output_index, item }) +
    items.send("response.output_item.done", { output_index, item });
}

function writeProse(items: Items, kind: "text" | "thinking", text: string): string {
  let begin = "";
  let { prose } = items;
  if (prose?.kind !== kind) {
    begin = closeProse(items);
    prose = items.prose = openProse(items, kind);
    begin += openEvents(prose, items.send);
  }
  prose.pieces.push(text);
  const part = kind === "text" ? { content_index: 0 } : { summary_index: 0 };
  const type = kind === "text" ? "output_text" : "reasoning_summary_text";
  return begin + items.send(`response.${type}.delta`, { ...prose.at, ...part, delta: text });
}

function close({ who, done, send }: Items, closing: Open, signature = ""): string {
  const { at, pieces } = closing;
  const text = pieces.join("");
  const sealed = closing.kind === "thinking" ? sealThinking(who.maker, text, signature) : "";
  const [events, item] = closeEvents(closing, text, sealed, send);
  done[at.output_index] = item;
  return events + send("response.output_item.done", { output_index: at.output_index, item });
}

function closeProse(items: Items, signature = ""): string {
  const closing = items.prose;
  items.prose = undefined;
  return closing === undefined ? "" : close(items, closing, signature);
}

function closeCall(items: Items, index: number): string {
  const closing = items.calls.get(index);
  if (closing === undefined) return "";
  items.calls.delete(index);
  return close(items, closing);
}

function openEvents({ kind, at, callId, name, form }: Open, send: Send): string {
  const added = (item: Item): string =>
    send("response.output_item.added", { output_index: at.output_index, item });
  switch (kind) {
    case "text":
      return added(messageItem(at.item_id, "in_progress", [])) +
        send("response.content_part.added", { ...at, content_index: 0, part: textContent("") });
    case "thinking":
      return added(reasoningItem(at.item_id, [], "")) +
        send("response.reasoning_summary_part.added", {
          ...at,
          summary_index: 0,
          part: summaryContent(""),
        });
    case "call":
      return added(callItem(
        { id: at.item_id, status: "in_progress", callId, name, arguments: "" },
        form,
      ));
    default:
      return kind satisfies never;
  }
}

function closeEvents(
  closing: Open,
  text: string,
  sealed: string,
  send: Send,
): [events: string, item: Item] {
  const { kind, at, callId, name, form } = closing;
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
      return [events, reasoningItem(at.item_id, [part], sealed)];
    }
    case "call": {
      const whole = text === "" ? "{}" : text;
      const call = { callId, name, arguments: whole };
      const item = callItem({ ...call, id: at.item_id, status: "completed" }, form);
      return [callEnd(closing, whole, send), item];
    }
    default:
      return kind satisfies never;
  }
}

function callEnd({ at, name, form }: Open, whole: string, send: Send): string {
  switch (form?.kind) {
    case "custom": {
      const input = customInput({ arguments: whole });
      return send("response.custom_tool_call_input.delta", { ...at, delta: input }) +
        send("response.custom_tool_call_input.done", { ...at, input });
    }
    case "local_shell":
      return ""; // it has no events of its own
    default: {
      const called = form?.name ?? name;
      return send("response.function_call_arguments.done", {
        ...at,
        name: called,
        arguments: whole,
      });
    }
  }
}

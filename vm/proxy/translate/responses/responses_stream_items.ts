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

export function createItemWriter(who: AnswerIdentity, send: Send, forms: ToolForms): ItemWriter {
  const newId = createAnswerIds();
  const done: (Item | undefined)[] = [];
  const calls = new Map<number, Open>();
  let prose: Open | undefined;

  const placeOf = (prefix: ItemPrefix): Open["at"] => {
    const output_index = done.push(undefined) - 1;
    return { item_id: ownItemId(prefix, who.id, output_index), output_index };
  };

  const openProse = (kind: "text" | "thinking"): Open => ({
    ...{ kind, at: placeOf(kind === "text" ? "msg" : "rs"), pieces: [] },
    ...{ callId: "", name: "", form: undefined },
  });

  function openCall(callId: string, name: string): Open {
    const form = forms.get(name);
    return { kind: "call", at: placeOf(prefixOf(form)), pieces: [], callId, name, form };
  }

  /** Reasoning without a summary, which only its maker can read. */
  function writeSealed(sealed: string): string {
    const { item_id, output_index } = placeOf("rs");
    const item = reasoningItem(item_id, [], sealed);
    done[output_index] = item;
    return send("response.output_item.added", { output_index, item }) +
      send("response.output_item.done", { output_index, item });
  }

  function close(closing: Open, signature = ""): string {
    const { at, pieces } = closing;
    const text = pieces.join("");
    const sealed = closing.kind === "thinking" ? sealThinking(who.maker, text, signature) : "";
    const [events, item] = closeEvents(closing, text, sealed, send);
    done[at.output_index] = item;
    return events + send("response.output_item.done", { output_index: at.output_index, item });
  }

  function closeProse(signature = ""): string {
    const closing = prose;
    prose = undefined;
    return closing === undefined ? "" : close(closing, signature);
  }

  function writeProse(kind: "text" | "thinking", text: string): string {
    let begin = "";
    if (prose?.kind !== kind) {
      begin = closeProse();
      prose = openProse(kind);
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
        case "signature":
          return prose?.kind === "thinking" ? closeProse(event.signature) : "";
        case "redacted":
          return closeProse() + writeSealed(sealRedacted(who.maker, event.data));
        case "tool": {
          const { index, name, extra } = event;
          const callId = newId(event.id);
          const before = closeProse() +
            (extra === undefined
              ? ""
              : writeSealed(sealExtra(callId, { maker: who.maker, fields: extra })));
          const call = openCall(callId, name);
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
          return closeCall(event.index);
        default:
          return event satisfies never;
      }
    },
    finish: () => closeProse() + [...calls.keys()].map(closeCall).join(""),
    output: () => done.filter((item) => item !== undefined),
  };
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
        ...{ ...at, name: called, arguments: whole },
      });
    }
  }
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** Tool calls that stand in the text of an answer, taken out of it while it streams. @module */

import type { StreamEvent } from "../translate/completion.ts";
import { CALL_CLOSE, CALL_OPEN } from "./prompt.ts";
import { parsedObject } from "../translate/json_node.ts";
import { isObject } from "../../settings/shape.ts";

export interface ToolText {
  push(untrustedText: string): StreamEvent[];
  /** The end of the answer: what was held back after all was text. */
  end(): StreamEvent[];
  /** Calls so far. */
  calls(): number;
}

/** More than that is no tool call any more. */
const MAX_CALL_CHARS = 4 * 1024 * 1024;

/** @param newId letters and digits only: OpenClaw would take the rest out */
export function createToolText(
  names: ReadonlySet<string>,
  newId: () => string,
): ToolText {
  let pending = "";
  let calls = 0;
  const text = (plain: string): StreamEvent[] =>
    plain === "" ? [] : [{ kind: "text", text: plain }];
  const take = (): StreamEvent[] => {
    const events: StreamEvent[] = [];
    for (;;) {
      const open = pending.indexOf(CALL_OPEN);
      if (open < 0) {
        const keep = heldBack(pending);
        events.push(...text(pending.slice(0, pending.length - keep)));
        pending = pending.slice(pending.length - keep);
        return events;
      }
      const close = pending.indexOf(CALL_CLOSE, open);
      events.push(...text(pending.slice(0, open)));
      pending = pending.slice(open);
      if (close < 0) {
        if (pending.length > MAX_CALL_CHARS) {
          events.push(...text(pending));
          pending = "";
        }
        return events;
      }
      const whole = pending.slice(0, close - open + CALL_CLOSE.length);
      pending = pending.slice(whole.length);
      const call = readCall(whole.slice(CALL_OPEN.length, -CALL_CLOSE.length), names);
      if (call === null) {
        events.push(...text(whole));
        continue;
      }
      const index = calls++;
      events.push(
        { kind: "tool", index, id: newId(), name: call.name },
        { kind: "arguments", index, fragment: call.arguments },
        { kind: "tool_end", index },
      );
    }
  };
  return {
    push(untrustedText) {
      pending += untrustedText;
      return take();
    },
    end() {
      const rest = pending;
      pending = "";
      return text(rest);
    },
    calls: () => calls,
  };
}

/** How much of the end may be the beginning of a mark. */
function heldBack(text: string): number {
  for (let length = Math.min(CALL_OPEN.length - 1, text.length); length > 0; length--) {
    if (CALL_OPEN.startsWith(text.slice(text.length - length))) return length;
  }
  return 0;
}

/** A call of a tool that the client has; null for anything else. */
function readCall(
  untrusted: string,
  names: ReadonlySet<string>,
): { readonly name: string; readonly arguments: string } | null {
  const { name, arguments: found } = parsedObject(untrusted) ?? {};
  const given = found ?? {};
  if (typeof name !== "string" || !names.has(name) || !isObject(given)) return null;
  return { name, arguments: JSON.stringify(given) };
}

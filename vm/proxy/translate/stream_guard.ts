// SPDX-License-Identifier: GPL-2.0-or-later
/** Common to all stream readers: they never throw, and end exactly once. @module */

import type { StreamEvent, StreamReader } from "./completion.ts";
import { fault, faultOfAnswer } from "./fault.ts";
import { type JsonNode, parseJson } from "./json_node.ts";
import { TranslationError } from "./translation_error.ts";

export interface StreamState {
  /** One event's JSON. May throw TranslationError. */
  read(event: JsonNode): StreamEvent[];
  /** The end mark, if it is not JSON ("[DONE]"). */
  readonly doneMark?: string;
  /** The provider gave its stop reason: the answer is complete even without the end mark. */
  isStopped(): boolean;
  /** Events still due when the stream ends without a mark. */
  finish(): StreamEvent[];
}

/** @param what names the stream in errors */
export function guardStream(state: StreamState, what: string): StreamReader {
  let closed = false;
  const close = (events: StreamEvent[]): StreamEvent[] => {
    const at = events.findIndex(({ kind }) => kind === "end" || kind === "error");
    if (at < 0) return events;
    closed = true;
    return events.slice(0, at + 1);
  };
  const guarded = (read: () => StreamEvent[]): StreamEvent[] => {
    if (closed) return [];
    try {
      return close(read());
    } catch (error) {
      if (!(error instanceof TranslationError)) throw error;
      return close([{ kind: "error", fault: faultOfAnswer(error) }]);
    }
  };
  return {
    push: ({ data, complete }) =>
      guarded(() => {
        if (data === null || !complete && !isJson(data)) return []; // cut off: end() says so
        if (data.trim() === state.doneMark) return [...state.finish(), { kind: "end" }];
        return state.read(parseJson(data, what));
      }),
    end: () =>
      guarded(() => {
        if (state.isStopped()) return [...state.finish(), { kind: "end" }];
        const cut = fault("server", "the provider's stream ended before its answer was whole");
        return [{ kind: "error", fault: cut }];
      }),
  };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return text.trim() === "[DONE]";
  }
}

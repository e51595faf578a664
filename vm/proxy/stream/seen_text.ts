// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What a model has said so far, in a stream that is passed on byte for byte: the tokens of the texts,
 * the thinking and the arguments that stand in it, and whether its usage was there. A stream that
 * ends early is booked by that. The JSON of each event is not parsed, only walked through: from
 * string to string, each a key or the value behind one.
 *
 * @module
 */

import type { Api } from "../exchange.ts";
import { CALL_TOKENS, createTokenCounter } from "../books/token_count.ts";

export interface SeenText {
  /** @param events whole ones, as the client gets them */
  push(events: Uint8Array): void;
  /** Of all that the model said, by the letters. */
  tokens(): number;
  /** Of these, what it thought. */
  thoughtTokens(): number;
  /** How often an object named "usage" was there. */
  usages(): number;
}

type Part = "said" | "thought" | "thought again" | "arguments";

/** Keys whose value is what the model said; each text stands under one of them only. */
const KEYS: ReadonlyMap<Api, ReadonlyMap<string, Part>> = new Map([
  [
    "chat",
    new Map<string, Part>([
      ["content", "said"],
      ["refusal", "said"],
      ["arguments", "arguments"],
      ["name", "arguments"],
      // Some servers send both names.
      ["reasoning_content", "thought"],
      ["reasoning", "thought again"],
    ]),
  ],
  [
    "messages",
    new Map<string, Part>([
      ["text", "said"],
      ["thinking", "thought"],
      ["partial_json", "arguments"],
      ["name", "arguments"],
    ]),
  ],
  // The texts come again, whole, when they are done; and once more at the end.
  ["responses", new Map<string, Part>([["delta", "said"]])],
]);
const [QUOTE, BACKSLASH, COLON, OPEN] = [0x22, 0x5c, 0x3a, 0x7b];

const markOf = (first: number, length: number): number => length * 256 + first;
const decoder = new TextDecoder();

export function createSeenText(api: Api): SeenText {
  const keys = KEYS.get(api) ?? new Map<string, Part>();
  // Most keys are none of these: their first letter and their length tell it.
  const marks = new Set(
    [...keys.keys(), "usage"].map((name) => markOf(name.charCodeAt(0), name.length)),
  );
  const mayBe = (first: number, length: number): boolean => marks.has(markOf(first, length));
  const counters = new Map(
    (["said", "thought", "thought again", "arguments"] as const).map((part) =>
      [part, createTokenCounter()] as const
    ),
  );
  const tokensOf = (part: Part): number => counters.get(part)?.tokens() ?? 0;
  let calls = 0;
  let usages = 0;
  const thought = (): number => Math.max(tokensOf("thought"), tokensOf("thought again"));

  return {
    push(events) {
      let key = "";
      for (let at = events.indexOf(QUOTE); at >= 0; at = events.indexOf(QUOTE, at + 1)) {
        const end = endOfString(events, at);
        const isKey = events[end + 1] === COLON || isColonBehindBlank(events, end + 1);
        if (isKey) {
          key = mayBe(events[at + 1] ?? 0, end - at - 1) ? asciiOf(events, at + 1, end) : "";
          if (key === "usage" && isObjectNext(events, end + 1)) usages++;
        } else {
          const part = keys.get(key);
          if (part !== undefined && end > at + 1) {
            if (key === "name") calls++;
            counters.get(part)?.add(textOf(events.subarray(at + 1, end)));
          }
          key = "";
        }
        at = end;
      }
    },
    tokens: () =>
      Math.ceil(tokensOf("said") + tokensOf("arguments") + calls * CALL_TOKENS + thought()),
    thoughtTokens: () => Math.ceil(thought()),
    usages: () => usages,
  };
}

/** The index of its closing quote, or past the end without one. */
function endOfString(bytes: Uint8Array, quote: number): number {
  let at = quote + 1;
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return Math.min(at, bytes.length);
}

function isColonBehindBlank(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0x20 && bytes[at + 1] === COLON;
}

function isObjectNext(bytes: Uint8Array, at: number): boolean {
  for (let next = at; next < at + 4; next++) if (bytes[next] === OPEN) return true;
  return false;
}

function asciiOf(bytes: Uint8Array, from: number, to: number): string {
  let text = "";
  for (let at = from; at < to; at++) text += String.fromCharCode(bytes[at] ?? 0);
  return text;
}

function textOf(json: Uint8Array): string {
  const text = decoder.decode(json);
  if (!text.includes("\\")) return text;
  try {
    return JSON.parse(`"${text}"`);
  } catch {
    return text;
  }
}

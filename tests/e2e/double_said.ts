// SPDX-License-Identifier: GPL-2.0-or-later
/** What a double of a provider says, in none of the providers' words. @module */

import type { Play } from "./proxy_upstream.ts";

export interface Said {
  readonly texts?: readonly string[];
  readonly thinking?: string;
  readonly calls?: readonly Called[];
  /** Anthropic's word for why it stopped; without it "end_turn", or "tool_use" after calls. */
  readonly stop?: AnthropicStop;
}

export interface Called {
  readonly id: string;
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  /** Of the responses API: the name of a group of tools. */
  readonly namespace?: string;
  /** Of the responses API: a custom tool is called with this text, and no arguments. */
  readonly input?: string;
}

export type AnthropicStop =
  | "end_turn"
  | "max_tokens"
  | "stop_sequence"
  | "tool_use"
  | "pause_turn"
  | "refusal"
  | "model_context_window_exceeded";

/** One question, its price: 100 tokens in, 90 of them from the cache, 12 out, 5 of them thoughts. */
export const USED = { input: 100, cached: 90, output: 12, thought: 5 } as const;

export const WEATHER: Called = { id: "call_w1", name: "weather", arguments: { city: "Kraków" } };
export const CLOCK: Called = { id: "call_c2", name: "clock", arguments: {} };

export const stopOf = (said: Said): AnthropicStop =>
  said.stop ?? ((said.calls ?? []).length > 0 ? "tool_use" : "end_turn");

export const textOf = ({ texts = [] }: Said): string => texts.join("");

/** In pieces, as models send it: never more than 5 letters. */
export const fragments = (text: string): string[] => text.match(/[^]{1,5}/gu) ?? [];

/** Answers what `check` finds wrong as the provider does, with 400; else plays on. */
export const strictly = (
  check: (body: Readonly<Record<string, unknown>>) => string | null,
  refuse: (message: string) => Response,
  play: Play,
): Play =>
(request, tools) => {
  const wrong = check(request.body);
  return wrong === null ? play(request, tools) : refuse(wrong);
};

/** The first field that the provider does not know. */
export const unknownField = (
  body: Readonly<Record<string, unknown>>,
  known: string,
): string | undefined => Object.keys(body).find((name) => !known.split(" ").includes(name));

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export const records = (value: unknown): Readonly<Record<string, unknown>>[] =>
  Array.isArray(value) ? value.filter(isRecord) : [];

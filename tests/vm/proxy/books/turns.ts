// SPDX-License-Identifier: GPL-2.0-or-later
/** What a model says and what that costs by a real tokenizer, from a seed. @module */

import { assert } from "@std/assert";
import { countTokens as realTokens, encode } from "gpt-tokenizer";
import type { Target } from "../../../../vm/proxy/config/config.ts";
import { type Api, type Exchange, NO_TOKENS } from "../../../../vm/proxy/exchange.ts";
import { costOf } from "../../../../vm/proxy/books/prices.ts";
import { parseConfig } from "../../../../vm/proxy/config/parse_config.ts";
import { resolveModel } from "../../../../vm/proxy/route/models.ts";
import { bodyOf } from "../body_of.ts";
import { mixedText, seeded } from "../texts.ts";

const CONFIG = parseConfig({
  providers: { openai: { kind: "openai" }, anthropic: { kind: "anthropic" } },
  prices: { "openai/m": { input: 2, output: 10 }, "anthropic/m": { input: 2, output: 10 } },
});

export function targetOf(name: string): Target {
  assert("providers" in CONFIG);
  const target = resolveModel(name, CONFIG)?.[0]?.[0];
  assert(target !== undefined);
  return target;
}

export type Part = "thought" | "said" | "arguments";

export interface Said {
  readonly part: Part;
  readonly text: string;
  /** Of its part. */
  readonly isFirst: boolean;
  /** All output until then, in tokens. */
  readonly output: number;
}

/** What a model does: parts one after the other, each in pieces. */
export interface Turn {
  readonly prompt: string;
  /** In tokens. */
  readonly input: number;
  readonly pieces: readonly Said[];
}

/** What a request and a call cost beside their letters. */
const [REQUEST_TOKENS, CALL_TOKENS] = [7, 8];
/** A short question, or some pages. */
const PROMPT_CHARS = [60, 2000, 6000];

export function turnOf(seed: number): Turn {
  const random = seeded(seed);
  const prompt = mixedText(random, PROMPT_CHARS[seed % PROMPT_CHARS.length] ?? 0);
  return { prompt, input: realTokens(prompt) + REQUEST_TOKENS, pieces: piecesOf(random) };
}

/** Pieces are a tokenizer's own, or cut anywhere, as servers do. */
function piecesOf(random: () => number): readonly Said[] {
  const pieces: Said[] = [];
  let before = 0;
  for (const part of ["thought", "said", "arguments"] as const) {
    if (random() < 0.3) continue;
    if (part === "arguments") before += CALL_TOKENS;
    const text = part === "arguments"
      ? JSON.stringify({ path: "/home/user/notes.md", content: mixedText(random, 800) })
      : mixedText(random, 300 + random() * 2000);
    const longest = random() < 0.5 ? 6 : 120;
    let output = 0;
    let said = "";
    for (let at = 0; at < text.length;) {
      const end = at + 1 + Math.floor(random() * longest);
      const piece = text.slice(at, end).toWellFormed();
      said += piece;
      output = encode(said).length;
      pieces.push({ part, text: piece, isFirst: at === 0, output: before + output });
      at = end;
    }
    before += output;
  }
  return pieces;
}

export function exchangeOf(api: Api, prompt: string): Exchange {
  const body = JSON.stringify({
    model: "m",
    stream: true,
    messages: [{ role: "user", content: prompt }],
  });
  return {
    ...{ api, requestId: "r", body: bodyOf(body), model: "m", stream: true, client: "c" },
    ...{ untrustedHeaders: new Headers(), createdS: 0, broken: "error", isAgent: false },
    ...{ written: false, asksUsage: true, gone: new AbortController().signal },
  };
}

interface Counted {
  readonly input: number;
  readonly output: number;
}

function cost({ input, output }: Counted, target: Target): number {
  assert("providers" in CONFIG);
  return costOf({ ...NO_TOKENS, input, output }, target, CONFIG) ?? NaN;
}

/** No count by letters is right to a part of the first words; a few tokens cost nothing. */
const FEW_TOKENS = 6;

/** Within 15 % of the truth, and so never below 85 %. */
export function assertFair(booked: Counted, truth: Counted, target: Target, where: string): void {
  const off = Math.abs(booked.input - truth.input) + Math.abs(booked.output - truth.output);
  if (off <= FEW_TOKENS) return;
  const ratio = cost(booked, target) / cost(truth, target);
  assert(ratio >= 0.85 && ratio <= 1.15, `${where}: booked ${ratio} of the truth`);
}

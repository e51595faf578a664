// SPDX-License-Identifier: GPL-2.0-or-later
/** How many tokens a request's prompt has, roughly: for limits before it runs, and where nobody counts. @module */

import { isObject } from "../../settings/shape.ts";
import { countTokens } from "./token_count.ts";

/** What a model reads; other fields are settings. */
const PROMPT_FIELDS = [
  "messages",
  "input",
  "system",
  "instructions",
  "tools",
  "functions",
  "prompt",
  "response_format",
  "text",
  "output_config",
];
/** For about a megapixel: Anthropic's "Vision", and not far from OpenAI's. */
const PICTURE_TOKENS = 1334;
/** A document is not opened: 1,500 tokens for a page of 60 KiB. */
const DOCUMENT_TOKENS_PER_KIB = 25;
const TURN_TOKENS = 4;
/** With which an answer is begun. */
const ANSWER_TOKENS = 3;
/** What stands in base64 is not read as letters. */
const DATA_CHARS = 1000;
const MAX_DEPTH = 60;
/** A longer prompt is counted by samples of it, which is as right and takes no time. */
const SAMPLED_CHARS = 6 * 1024;
const SAMPLE_CHARS = 512;

interface Found {
  readonly lengthOf: (text: string) => number;
  readonly texts: string[];
  chars: number;
  tokens: number;
}

/**
 * @param untrustedBody a request of any of the APIs
 * @param lengthOf a text of it, where a short mark may stand for a long run of base64
 */
export function promptTokens(
  untrustedBody: Readonly<Record<string, unknown>>,
  lengthOf: (text: string) => number = ({ length }) => length,
): number {
  const found: Found = { lengthOf, texts: [], chars: 0, tokens: 0 };
  for (const field of PROMPT_FIELDS) {
    if (Object.hasOwn(untrustedBody, field)) collect(untrustedBody[field], "", found, 0);
  }
  const turns = [untrustedBody["messages"], untrustedBody["input"]].filter(Array.isArray);
  const turnTokens = turns.reduce((sum, list) => sum + list.length * TURN_TOKENS, 0);
  return Math.ceil(found.tokens + turnTokens + tokensOf(found)) + ANSWER_TOKENS;
}

function collect(value: unknown, key: string, found: Found, depth: number): void {
  if (typeof value === "string") {
    if (key === "type" || key === "role") return;
    const length = found.lengthOf(value);
    if (length > DATA_CHARS && isData(value)) {
      const isDocument = key === "file_data" || /^data:application|^JVBERi/.test(value);
      found.tokens += isDocument
        ? Math.ceil(length / 1024) * DOCUMENT_TOKENS_PER_KIB
        : PICTURE_TOKENS;
      return;
    }
    found.texts.push(value);
    found.chars += value.length;
  } else if (typeof value === "number" || typeof value === "boolean") {
    found.tokens++;
  } else if (depth < MAX_DEPTH && Array.isArray(value)) {
    for (const item of value) collect(item, key, found, depth + 1);
  } else if (depth < MAX_DEPTH && isObject(value)) {
    for (const name of Object.keys(value)) {
      if (name !== "type" && name !== "role" && name !== "content" && name !== "text") {
        found.tokens++;
      }
      collect(value[name], name, found, depth + 1);
    }
  }
}

/** Neither a blank nor a line's end, where any text has some. */
function isData(value: string): boolean {
  return !/\s/.test(value.slice(0, 200)) && !/\s/.test(value.slice(-200));
}

function tokensOf({ texts, chars }: Found): number {
  if (chars <= SAMPLED_CHARS) return texts.reduce((sum, text) => sum + countTokens(text), 0);
  const all = texts.join("\n");
  const samples = SAMPLED_CHARS / SAMPLE_CHARS;
  let tokens = 0;
  for (let sample = 0; sample < samples; sample++) {
    const from = Math.floor(sample * (all.length - SAMPLE_CHARS) / (samples - 1));
    tokens += countTokens(all.slice(from, from + SAMPLE_CHARS));
  }
  return tokens * all.length / SAMPLED_CHARS;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** One attempt at one target, by whatever way leads there. @module */

import { attemptNative, nativeApi } from "./adapter.ts";
import { attemptCursor } from "./cursor/attempt_cursor.ts";
import { notServed } from "./events_answer.ts";
import type { Answer, Exchange } from "./exchange.ts";
import type { Memory } from "./memory.ts";
import type { RunParts } from "./run_exchange.ts";
import { estimateInputTokens } from "./translate/estimate.ts";
import { readMessagesRequest } from "./translate/messages_request_read.ts";
import { TranslationError } from "./translate/translation_error.ts";
import { attemptTranslated } from "./translated.ts";

/** @returns an attempt; it throws UpstreamFailure */
export function createAttempt(memory: Memory): RunParts["attempt"] {
  return async (exchange, target, context) => {
    const api = nativeApi(exchange, target.provider);
    if (api !== null) return await attemptNative(exchange, target, api, context, memory);
    if (exchange.api === "count_tokens") return guessTokens(exchange);
    if (exchange.api === "embeddings") throw notServed(exchange, target.provider.name);
    if (target.provider.kind === "cursor") {
      return await attemptCursor(exchange, target, context, memory);
    }
    return await attemptTranslated(exchange, target, context, memory);
  };
}

/** Where the provider has no such call: four bytes for a token, the usual rule of thumb. */
export function guessedTokens(bytes: number): number {
  return Math.ceil(bytes / 4);
}

/** Estimated from the content: an image counts far less than its base64. */
function estimatedTokens({ untrustedBody, length }: Exchange["body"]): number {
  try {
    return estimateInputTokens(readMessagesRequest({ value: untrustedBody, path: "body" }));
  } catch (error) {
    if (!(error instanceof TranslationError)) throw error;
    return guessedTokens(length);
  }
}

function guessTokens(exchange: Exchange): Answer {
  const input_tokens = Math.max(1, estimatedTokens(exchange.body)); // none counts as nothing
  return {
    contentType: "application/json",
    body: new TextEncoder().encode(JSON.stringify({ input_tokens })),
    own: { tokens: () => null, isBroken: () => false },
  };
}

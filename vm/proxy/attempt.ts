// SPDX-License-Identifier: GPL-2.0-or-later
/** One attempt at one target, by whatever way leads there. @module */

import { attemptNative, nativeApi } from "./adapter.ts";
import { attemptCursor } from "./cursor/attempt_cursor.ts";
import { notServed } from "./events_answer.ts";
import type { Answer, Exchange } from "./exchange.ts";
import type { Origins } from "./origins.ts";
import type { RunParts } from "./run_exchange.ts";
import { attemptTranslated } from "./translated.ts";

/** @returns an attempt; it throws UpstreamFailure */
export function createAttempt(origins: Origins): RunParts["attempt"] {
  return async (exchange, target, context) => {
    const api = nativeApi(exchange, target.provider);
    if (api !== null) return await attemptNative(exchange, target, api, context, origins);
    if (exchange.api === "count_tokens") return guessTokens(exchange);
    if (exchange.api === "embeddings") throw notServed(exchange, target.provider.name);
    if (target.provider.kind === "cursor") return await attemptCursor(exchange, target, context);
    return await attemptTranslated(exchange, target, context, origins);
  };
}

/** Where the provider has no such call: four bytes for a token, the usual rule of thumb. */
export function guessedTokens(bytes: number): number {
  return Math.ceil(bytes / 4);
}

function guessTokens(exchange: Exchange): Answer {
  const input_tokens = guessedTokens(exchange.body.length);
  return {
    contentType: "application/json",
    body: new TextEncoder().encode(JSON.stringify({ input_tokens })),
    own: { tokens: () => null, isBroken: () => false },
  };
}

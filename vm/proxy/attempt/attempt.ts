// SPDX-License-Identifier: GPL-2.0-or-later
/** One attempt at one target, by whatever way leads there. @module */

import { attemptNative } from "./attempt_native.ts";
import { nativeApi } from "./upstream_call.ts";
import { attemptCursor } from "../cursor/attempt_cursor.ts";
import { notServed } from "./events_answer.ts";
import { type Answer, type Exchange, NO_SEEN } from "../exchange.ts";
import type { Memory } from "../memory/memory.ts";
import type { TryParts } from "../route/try_targets.ts";
import { attemptTranslated } from "./attempt_translated.ts";

/** @returns an attempt; it throws UpstreamFailure */
export function createAttempt(memory: Memory): TryParts["attempt"] {
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

/** Where the provider has no such call. */
function guessTokens(exchange: Exchange): Answer {
  const input_tokens = exchange.body.promptTokens();
  return {
    contentType: "application/json",
    body: new TextEncoder().encode(JSON.stringify({ input_tokens })),
    own: { tokens: () => null, seen: () => NO_SEEN, isBroken: () => false },
  };
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The tokens that are booked for a request. If the answer came to its end, the provider's own count
 * holds. A stream that ended early is booked by what was seen of it: the count in its opening event
 * (1) is not what was made.
 *
 * @module
 */

import type { Calibration } from "./calibration.ts";
import { type Target, targetName } from "../config/config.ts";
import { type Api, NO_SEEN, NO_TOKENS, type Seen, type Tokens } from "../exchange.ts";

export interface Ended {
  readonly api: Api;
  /** Who answered, or was asked when the client left; null: nobody. */
  readonly target: Target | null;
  /** Whether the answer came to its own end. */
  readonly isWhole: boolean;
  /** What the provider said last; null: nothing. */
  readonly named: Tokens | null;
  /** What the model has said. */
  readonly seen: Seen;
  readonly promptTokens: () => number;
}

export interface BookedTokens extends Tokens {
  /** No provider counted it. */
  readonly estimated: boolean;
}

/** A count below this part of what was seen is the opening event's. */
const TOO_LITTLE = 1 / 3;

export function bookedTokens(ended: Ended, calibration: Calibration): BookedTokens {
  const { api, target, isWhole, named, seen, promptTokens } = ended;
  if (api === "count_tokens") return { ...NO_TOKENS, estimated: false };
  const name = target === null ? "" : targetName(target);
  if (isWhole && named !== null && named.output >= seen.tokens * TOO_LITTLE) {
    if (target !== null) learn(name, named, seen, calibration);
    return { ...named, estimated: false };
  }
  const before = named ?? NO_TOKENS;
  return {
    ...before,
    input: before.input > 0 ? before.input : promptTokens(),
    output: Math.max(before.output, calibration.outputTokens(name, seen.tokens)),
    estimated: true,
  };
}

function learn(target: string, named: Tokens, seen: Seen, calibration: Calibration): void {
  if (seen === NO_SEEN) return;
  calibration.learn(target, {
    seenTokens: seen.tokens,
    seenThoughtTokens: seen.thoughtTokens,
    outputTokens: named.output,
    reasoningTokens: named.reasoning,
  });
}

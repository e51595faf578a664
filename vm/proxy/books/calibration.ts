// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * How each model's own count compares with ours: learned from answers that ended with their usage,
 * used for streams that end without. Tokenizers differ, and some models think before they speak and
 * do not show it. Pure.
 *
 * @module
 */

/** An answer that was counted by its provider. */
export interface CountedAnswer {
  /** By the letters that were seen. */
  readonly seenTokens: number;
  /** Of them what it thought. */
  readonly seenThoughtTokens: number;
  readonly outputTokens: number;
  /** Of the output, as the provider says. */
  readonly reasoningTokens: number;
}

export interface Calibration {
  learn(target: string, answer: CountedAnswer): void;
  /** @param seenTokens of a stream that has ended early; its secret thinking was over, if any */
  outputTokens(target: string, seenTokens: number): number;
}

interface Known {
  /** The provider's tokens for one of ours. */
  ratio: number;
  /** Tokens of an answer that are not shown. */
  hidden: number;
}

/** Shorter answers say little. */
const MIN_SEEN_TOKENS = 50;
/** Of a new answer; the rest is what was known before. */
const WEIGHT = 0.2;
/** No tokenizer is outside of this range: such a figure is somebody's mistake. */
const [MIN_RATIO, MAX_RATIO] = [0.7, 2];
const MAX_TARGETS = 1000;

export function createCalibration(): Calibration {
  const known = new Map<string, Known>();
  return {
    learn(target, { seenTokens, seenThoughtTokens, outputTokens, reasoningTokens }) {
      if (seenTokens < MIN_SEEN_TOKENS) return;
      const before = known.get(target);
      if (before === undefined && known.size >= MAX_TARGETS) known.clear(); // any client's words
      const hidden = Math.max(0, reasoningTokens - seenThoughtTokens * (before?.ratio ?? 1));
      const shown = Math.max(0, outputTokens - hidden);
      const ratio = Math.min(MAX_RATIO, Math.max(MIN_RATIO, shown / seenTokens));
      known.set(
        target,
        before === undefined ? { ratio, hidden } : {
          ratio: before.ratio + WEIGHT * (ratio - before.ratio),
          hidden: before.hidden + WEIGHT * (hidden - before.hidden),
        },
      );
    },
    outputTokens(target, seenTokens) {
      if (seenTokens === 0) return 0;
      const { ratio, hidden } = known.get(target) ?? { ratio: 1, hidden: 0 };
      return Math.ceil(seenTokens * ratio + hidden);
    },
  };
}

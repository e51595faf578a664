// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * How much a model thinks: a word at OpenAI, a budget in tokens for Anthropic's older models, and
 * words of their own for its newer ones (platform.claude.com/docs, "Adaptive thinking", "Effort").
 *
 * @module
 */

import type { Thinking } from "./conversation.ts";

/** Smallest budget that Anthropic accepts; at least as much is left for the answer. */
export const MIN_BUDGET_TOKENS = 1024;

/** Word of OpenAI -> tokens. The middle is what Anthropic names for common tasks. */
const BUDGETS: ReadonlyMap<string, number> = new Map([
  ["minimal", MIN_BUDGET_TOKENS],
  ["low", 2048],
  ["medium", 8192],
  ["high", 16_384],
  ["xhigh", 32_768],
  ["max", 32_768],
]);
const MEDIUM_TOKENS = 8192;

/** Word of OpenAI -> word of Anthropic's output_config.effort; 4.6 has no "xhigh". */
const EFFORTS: ReadonlyMap<string, string> = new Map([
  ["minimal", "low"],
  ["low", "low"],
  ["medium", "medium"],
  ["high", "high"],
  ["xhigh", "xhigh"],
  ["max", "max"],
]);

export const budgetOf = (thinking: Exclude<Thinking, { kind: "off" }>): number =>
  thinking.kind === "budget"
    ? thinking.tokens
    : BUDGETS.get(thinking.effort ?? "medium") ?? MEDIUM_TOKENS;

/** OpenAI's word. */
export function effortOf(thinking: Exclude<Thinking, { kind: "off" }>): string {
  if (thinking.kind !== "budget") {
    const effort = thinking.effort ?? "high"; // what Anthropic does when told nothing
    return effort === "max" ? "xhigh" : effort;
  }
  if (thinking.tokens <= 2048) return "low";
  return thinking.tokens <= MEDIUM_TOKENS ? "medium" : "high";
}

export const anthropicEffortOf = (thinking: Exclude<Thinking, { kind: "off" }>): string =>
  EFFORTS.get(effortOf(thinking)) ?? "medium";

/** What a model of Anthropic's accepts. */
export interface ClaudeTraits {
  readonly thinks: boolean;
  /** "adaptive". */
  readonly adaptive: boolean;
  /** output_config.effort. */
  readonly effort: boolean;
  /** temperature, top_p and top_k. */
  readonly sampling: boolean;
  /** A budget for thinking; if not, only "adaptive" with an effort. */
  readonly budget: boolean;
}

const OLD: ClaudeTraits = {
  thinks: true,
  adaptive: false,
  effort: false,
  sampling: true,
  budget: true,
};
const OLDEST: ClaudeTraits = { ...OLD, thinks: false };
const OPUS_4_5: ClaudeTraits = { ...OLD, effort: true };
const BOTH: ClaudeTraits = { ...OLD, adaptive: true, effort: true };
const NEW: ClaudeTraits = { ...BOTH, sampling: false, budget: false };

/**
 * From the name: thinking since 3.7, up to 4.6 the old way, later and unknown families the new.
 * "claude-3-5-sonnet-20241022", "claude-sonnet-4-20250514", "claude-opus-4-7".
 */
export function claudeTraits(model: string): ClaudeTraits {
  const version = claudeVersion(model);
  if (version === null) return /claude-(2|instant)/.test(model) ? OLDEST : NEW;
  if (version < 3.7) return OLDEST;
  if (version < 4.6) return version === 4.5 && model.includes("opus") ? OPUS_4_5 : OLD;
  return version > 4.6 ? NEW : BOTH;
}

/** 4.6 for "claude-opus-4-6"; null if the name tells none. */
function claudeVersion(model: string): number | null {
  const [, before, after] =
    /claude-(?:(\d+(?:[-.]\d{1,2})?)-)?(?:opus|sonnet|haiku)(?:-(\d+(?:[-.]\d{1,2})?))?(?![\d])/
      .exec(model) ?? [];
  const version = before ?? after;
  if (version === undefined) return null;
  const [major = 0, minor = 0] = version.split(/[-.]/).map(Number);
  return major >= 1000 ? null : major + minor / 10; // a date is no version
}

/** Most tokens of an answer (platform.claude.com/docs, "Models overview"), without beta headers. */
export function claudeMaxOutputTokens(model: string): number {
  const version = claudeVersion(model);
  const isOpus = model.includes("opus");
  if (version === null) return /claude-(2|instant)/.test(model) ? 4096 : 64_000;
  if (version < 3.5) return 4096;
  if (version < 3.7) return 8192;
  if (version < 4) return 64_000;
  if (isOpus) return version < 4.5 ? 32_000 : version < 4.6 ? 64_000 : 128_000;
  return 64_000;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** What a request costs, at the prices of the configuration. @module */

import {
  type Config,
  type Limits,
  type Price,
  type Route,
  type Target,
  targetName,
} from "../config/config.ts";
import type { Tokens } from "../exchange.ts";
import type { Usage } from "./limits.ts";

/** US dollars; null if no price is known. Ollama runs here, and Cursor is paid by the month. */
export function costOf(tokens: Tokens, target: Target, config: Config): number | null {
  const price = config.prices.get(targetName(target));
  if (price === undefined) return isFree(target) ? 0 : null;
  const { read, write, writeHour } = cachePrices(price, target);
  const { cacheRead, cacheWrite, cacheWriteHour } = tokens;
  const plain = Math.max(0, tokens.input - cacheRead - cacheWrite);
  const cached = cacheRead * read + (cacheWrite - cacheWriteHour) * write +
    cacheWriteHour * writeHour;
  return (plain * price.input + cached + tokens.output * price.output) / 1e6;
}

/**
 * Where proxy.json says nothing: Anthropic's are parts of the input's (docs.claude.com, "Prompt
 * caching", "Pricing"); others write for nothing and read for less, each for another part, so what
 * is read counts as if it were not cached.
 */
function cachePrices(
  { input, cacheRead, cacheWrite, cacheWriteHour }: Price,
  { provider }: Target,
): { readonly read: number; readonly write: number; readonly writeHour: number } {
  const parts = provider.kind === "anthropic"
    ? { read: 0.1, write: 1.25, writeHour: 2 }
    : { read: 1, write: 1, writeHour: 1 };
  const write = cacheWrite ?? input * parts.write;
  return {
    read: cacheRead ?? input * parts.read,
    write,
    writeHour: cacheWriteHour ?? write * parts.writeHour / parts.write,
  };
}

/** Whether it matters to somebody what a request uses. */
export function isCounted(route: Route, limits: Limits, config: Config): boolean {
  const { tokensPerMinute, tokensPerDay, spendPerDay, spendPerMonth } = limits;
  return [tokensPerMinute, tokensPerDay, spendPerDay, spendPerMonth].some((one) => one !== null) ||
    route.flat().some((target) => config.prices.has(targetName(target)));
}

export function usageOf(tokens: Tokens, target: Target, config: Config): Usage {
  return { tokens: tokens.input + tokens.output, spend: costOf(tokens, target, config) ?? 0 };
}

function isFree({ provider }: Target): boolean {
  return provider.kind === "ollama" || provider.kind === "cursor";
}

/** A cap on money holds only where a price is known: targets without one are left out. */
export function affordable(route: Route, limits: Limits, config: Config): Route {
  if (limits.spendPerDay === null && limits.spendPerMonth === null) return route;
  return route.map((rank) =>
    rank.filter((target) => isFree(target) || config.prices.has(targetName(target)))
  ).filter((rank) => rank.length > 0);
}

/** The dearest of the route: what is held while the request runs must not be too little. */
export function estimate(tokens: Tokens, route: Route, config: Config): Usage {
  const spend = Math.max(0, ...route.flat().map((target) => costOf(tokens, target, config) ?? 0));
  return { tokens: tokens.input + tokens.output, spend };
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** What a request costs, at the prices of the configuration. @module */

import { type Config, type Limits, type Route, type Target, targetName } from "./config.ts";
import type { Tokens } from "./exchange.ts";
import type { Usage } from "./limits.ts";

/** US dollars; null if no price is known. Ollama runs here, and Cursor is paid by the month. */
export function costOf(tokens: Tokens, target: Target, config: Config): number | null {
  const price = config.prices.get(targetName(target));
  if (price === undefined) return isFree(target) ? 0 : null;
  const { cacheRead, cacheWrite } = tokens;
  const plain = Math.max(0, tokens.input - cacheRead - cacheWrite);
  return (plain * price.input + cacheRead * price.cacheRead + cacheWrite * price.cacheWrite +
    tokens.output * price.output) / 1e6;
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

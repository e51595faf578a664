// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Memory: a gateway grows over days, and one that is restarted while it has nothing to do loses
 * nothing. It is idle while the proxy has no request under way and none has come. Pure.
 *
 * @module
 */

import { metricSum } from "../probe/metrics_text.ts";
import type { WatchSettings } from "./settings.ts";

/** Counters of the proxy's /metrics. */
export interface Traffic {
  readonly active: number;
  readonly requests: number;
}

export interface Quiet {
  readonly requests: number;
  readonly sinceMs: number;
}

/** @param traffic null: unknown, and so not quiet. @returns since when nothing has happened */
export function quietSince(
  before: Quiet | null,
  traffic: Traffic | null,
  nowMs: number,
): Quiet | null {
  if (traffic === null || traffic.active > 0) return null;
  return before !== null && before.requests === traffic.requests
    ? before
    : { requests: traffic.requests, sinceMs: nowMs };
}

/** @returns why the gateway is to be restarted now, or null */
export function memoryReason(
  memoryBytes: number | null,
  quiet: Quiet | null,
  nowMs: number,
  { gatewayMegabytes, idleSeconds }: WatchSettings,
): string | null {
  if (gatewayMegabytes === 0 || memoryBytes === null || quiet === null) return null;
  const megabytes = Math.round(memoryBytes / 1e6);
  if (megabytes <= gatewayMegabytes || nowMs < quiet.sinceMs + idleSeconds * 1000) return null;
  return `it takes ${megabytes} MB, more than ${gatewayMegabytes}, and is idle`;
}

export function trafficOf(untrustedMetrics: string): Traffic | null {
  const active = metricSum(untrustedMetrics, "openclaw_proxy_active_requests");
  if (active === null) return null;
  return { active, requests: metricSum(untrustedMetrics, "openclaw_proxy_requests_total") ?? 0 };
}

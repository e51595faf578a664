// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Memory: a gateway grows over days, and restarting an idle one loses nothing. It is idle while the
 * proxy has no request under way and none arrives or, where the proxy's counters cannot be read, as in
 * a key qube, while the gateway hardly uses the processor. Pure.
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

/** @returns why the gateway should be restarted now, or null */
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

/** As a share of one processor: the real gateway took 0.01 when idle. */
const IDLE_SHARE = 0.05;

export interface Cpu {
  readonly cpuMs: number;
  readonly atMs: number;
}

/** What the processor tells of the time between two looks. */
export function cpuTraffic(before: Cpu | null, now: Cpu | null): Traffic | null {
  if (before === null || now === null || now.atMs <= before.atMs) return null;
  const share = (now.cpuMs - before.cpuMs) / (now.atMs - before.atMs);
  return { active: share >= 0 && share < IDLE_SHARE ? 0 : 1, requests: 0 };
}

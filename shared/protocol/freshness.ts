// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Replay protection: a request is taken only while it is fresh, and once. What is not fresh is
 * refused by its date alone, so the ledger of taken requests may forget what is older.
 *
 * @module
 */

import type { AuthenticRequest } from "./envelope.ts";
import { MAX_REQUEST_AGE_MS, MAX_REQUEST_LEAD_MS, MAX_V1_SKEW_MS } from "./limits.ts";
import type { RefusalReason } from "./refusal.ts";

/** How long a taken request must be remembered, counted from when it was taken. */
export function rememberForMs(protocol: 1 | 2): number {
  const [age, lead] = window(protocol);
  return age + lead;
}

/** When a request with this date may have been taken: while it was fresh. */
export function takenBetween(
  { protocol, issuedAtMs }: Pick<AuthenticRequest, "protocol" | "issuedAtMs">,
): { readonly fromMs: number; readonly toMs: number } {
  const [maxAgeMs, maxLeadMs] = window(protocol);
  return { fromMs: issuedAtMs - maxLeadMs, toMs: issuedAtMs + maxAgeMs };
}

/** The first date of a request that cannot have been taken by then. */
export function firstDateAfter(protocol: 1 | 2, takenAtMs: number): number {
  const [, maxLeadMs] = window(protocol);
  return takenAtMs + maxLeadMs + 1;
}

/** null if the request's date lies within the window around now. */
export function checkFreshness(request: AuthenticRequest, nowMs: number): RefusalReason | null {
  const [maxAgeMs, maxLeadMs] = window(request.protocol);
  if (request.issuedAtMs < nowMs - maxAgeMs) return "stale";
  if (request.issuedAtMs > nowMs + maxLeadMs) return "future";
  return null;
}

function window(protocol: 1 | 2): readonly [maxAgeMs: number, maxLeadMs: number] {
  return protocol === 1
    ? [MAX_V1_SKEW_MS, MAX_V1_SKEW_MS]
    : [MAX_REQUEST_AGE_MS, MAX_REQUEST_LEAD_MS];
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Replay protection: a request is taken only while it is fresh, and only once. One that is not fresh is
 * refused by its date alone, so the ledger of taken requests may forget older ones.
 *
 * @module
 */

import type { AuthenticRequest } from "./envelope.ts";
import { MAX_REQUEST_AGE_MS, MAX_REQUEST_LEAD_MS, MAX_V1_SKEW_MS } from "./limits.ts";
import type { RefusalReason } from "./refusal.ts";

/**
 * How long a taken request must be remembered, counted from when it was taken.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 *
 * assert(rememberForMs(2) >= 60_000);
 * ```
 */
export function rememberForMs(protocol: 1 | 2): number {
  const [age, lead] = window(protocol);
  return age + lead;
}

/**
 * When a request with this date may have been taken: while it was fresh.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 *
 * const { fromMs, toMs } = takenBetween({ protocol: 2, issuedAtMs: 1_000_000 });
 * assert(fromMs < 1_000_000 && 1_000_000 < toMs);
 * ```
 */
export function takenBetween(
  { protocol, issuedAtMs }: Pick<AuthenticRequest, "protocol" | "issuedAtMs">,
): { readonly fromMs: number; readonly toMs: number } {
  const [maxAgeMs, maxLeadMs] = window(protocol);
  return { fromMs: issuedAtMs - maxLeadMs, toMs: issuedAtMs + maxAgeMs };
}

/**
 * The first date of a request that cannot have been taken by then.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 *
 * assert(firstDateAfter(2, 1_000_000) > 1_000_000);
 * ```
 */
export function firstDateAfter(protocol: 1 | 2, takenAtMs: number): number {
  const [, maxLeadMs] = window(protocol);
  return takenAtMs + maxLeadMs + 1;
}

/**
 * null if the request's date lies within the window around now.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import type { AuthenticRequest } from "./envelope.ts";
 *
 * const request = { protocol: 2, issuedAtMs: 0 } as AuthenticRequest;
 * assertEquals(checkFreshness(request, 1000), null);
 * assertEquals(checkFreshness(request, 24 * 60 * 60_000), "stale");
 * ```
 */
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

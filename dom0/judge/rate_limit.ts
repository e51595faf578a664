// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * How often a VM may ask. Three counts for each: its requests, those that came to nothing
 * (refused, or ended by dom0 for a limit), and requests that were not signed with its key. The first
 * two are token buckets that refill within a minute. After repeated bad signatures the VM is ignored for
 * a while, and the operator is told once. Pure: the time is a parameter.
 *
 * Honest use reaches none of these: the ledger limits a VM to some 16,000 requests a
 * minute, and the client signs with the key that is there.
 *
 * @module
 */

import type { VmName } from "../../shared/protocol/vm_name.ts";

export interface RateSettings {
  readonly maxRequestsPerMinute: number;
  readonly maxFailuresPerMinute: number;
}

export interface RateLimits {
  /** Whether it may ask once more; counts it if so. */
  mayAsk(vm: VmName, spanMs: number): boolean;
  /** A request of it came to nothing. */
  failed(vm: VmName, spanMs: number): void;
  /** What it sent was not signed with its key. @returns whether that begins a back-off */
  badlySigned(vm: VmName, spanMs: number): boolean;
  /** @returns whether that ends a back-off, or a row of them */
  wellSigned(vm: VmName): boolean;
  /** Its key has changed: the counts belong to the old one. */
  forget(vm: VmName): void;
  /** Whether its requests are ignored now. */
  isBackedOff(vm: VmName, spanMs: number): boolean;
  backedOff(spanMs: number): readonly BackedOff[];
}

export interface BackedOff {
  readonly vm: VmName;
  readonly forMs: number;
}

/** Some room for a key that was changed on one side only. */
const BAD_BEFORE_BACKOFF = 5;
const FIRST_BACKOFF_MS = 60_000;
const LONGEST_BACKOFF_MS = 3600_000;
const MINUTE_MS = 60_000;

interface Counts {
  readonly requests: Tank;
  readonly failures: Tank;
  bad: number;
  backoffMs: number;
  untilMs: number;
}

export function createRateLimits(settings: () => RateSettings): RateLimits {
  const known = new Map<VmName, Counts>();
  const of = (vm: VmName): Counts => {
    const counts = known.get(vm) ?? {
      requests: createTank(() => settings().maxRequestsPerMinute),
      failures: createTank(() => settings().maxFailuresPerMinute),
      bad: 0,
      backoffMs: 0,
      untilMs: -Infinity,
    };
    known.set(vm, counts);
    return counts;
  };
  const leftMs = ({ untilMs }: Counts, spanMs: number): number => Math.max(0, untilMs - spanMs);
  return {
    mayAsk(vm, spanMs) {
      const { requests, failures } = of(vm);
      return failures.has(spanMs) && requests.take(spanMs);
    },
    failed: (vm, spanMs) => void of(vm).failures.take(spanMs),
    badlySigned(vm, spanMs) {
      const counts = of(vm);
      counts.bad++;
      if (counts.bad < BAD_BEFORE_BACKOFF) return false;
      const isFirst = counts.backoffMs === 0;
      counts.backoffMs = Math.min(2 * counts.backoffMs || FIRST_BACKOFF_MS, LONGEST_BACKOFF_MS);
      counts.untilMs = spanMs + counts.backoffMs;
      return isFirst;
    },
    wellSigned(vm) {
      const counts = known.get(vm);
      if (counts === undefined) return false;
      const wasBackedOff = counts.backoffMs > 0;
      [counts.bad, counts.backoffMs] = [0, 0];
      return wasBackedOff;
    },
    forget: (vm) => void known.delete(vm),
    isBackedOff(vm, spanMs) {
      const counts = known.get(vm);
      return counts !== undefined && leftMs(counts, spanMs) > 0;
    },
    backedOff: (spanMs) =>
      [...known].map(([vm, counts]) => ({ vm, forMs: leftMs(counts, spanMs) }))
        .filter(({ forMs }) => forMs > 0),
  };
}

/** A token bucket: holds a minute's worth and refills evenly. */
interface Tank {
  has(spanMs: number): boolean;
  /** @returns false if it is empty: then nothing is taken */
  take(spanMs: number): boolean;
}

function createTank(perMinute: () => number): Tank {
  let used = 0;
  let atMs = -Infinity;
  const fill = (spanMs: number): void => {
    used = Math.max(0, used - perMinute() * Math.max(0, spanMs - atMs) / MINUTE_MS);
    atMs = Math.max(atMs, spanMs);
  };
  const has = (spanMs: number): boolean => {
    fill(spanMs);
    return used + 1 <= perMinute();
  };
  return {
    has,
    take(spanMs) {
      if (!has(spanMs)) return false;
      used++;
      return true;
    },
  };
}

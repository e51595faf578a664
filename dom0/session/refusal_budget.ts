// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * How many refusals a VM may cause before its session is ended: each one is a line in the
 * audit, and a VM must not be able to fill dom0's disk with them. Pure.
 *
 * @module
 */

const BURST = 32;
const ONE_MORE_EVERY_MS = 5_000;

export interface RefusalBudget {
  /** Asked before a refusal is recorded. False when the budget is used up: then it is counted. */
  spend(spanMs: number): boolean;
  /** How many were only counted since the last time, for one record that says so. */
  takeUnrecorded(): number;
}

export function createRefusalBudget(): RefusalBudget {
  let left = BURST;
  let lastMs = 0;
  let unrecorded = 0;
  return {
    spend(spanMs) {
      const earned = Math.max(0, (spanMs - lastMs) / ONE_MORE_EVERY_MS);
      left = Math.max(-1, Math.min(BURST, left + earned) - 1);
      lastMs = spanMs;
      if (left < 0) unrecorded++;
      return left >= 0;
    },
    takeUnrecorded() {
      const count = unrecorded;
      unrecorded = 0;
      return count;
    },
  };
}

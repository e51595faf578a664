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
  /** False when the budget is used up. */
  spend(spanMs: number): boolean;
}

export function createRefusalBudget(): RefusalBudget {
  let left = BURST;
  let lastMs = 0;
  return {
    spend(spanMs) {
      const earned = Math.max(0, (spanMs - lastMs) / ONE_MORE_EVERY_MS);
      left = Math.min(BURST, left + earned) - 1;
      lastMs = spanMs;
      return left >= 0;
    },
  };
}

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
  spend(nowMs: number): boolean;
}

export function createRefusalBudget(): RefusalBudget {
  let left = BURST;
  let lastMs = 0;
  return {
    spend(nowMs) {
      const earned = Math.max(0, (nowMs - lastMs) / ONE_MORE_EVERY_MS);
      left = Math.min(BURST, left + earned) - 1;
      lastMs = nowMs;
      return left >= 0;
    },
  };
}

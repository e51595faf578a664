// SPDX-License-Identifier: GPL-2.0-or-later
/** Timers as functions: what starts one gives back what stops it. See bell.ts for their price. @module */

/** @returns stops it; may be called at any time, also after it ran */
export function after(delayMs: number, run: () => void): () => void {
  const timer = setTimeout(run, delayMs);
  return () => clearTimeout(timer);
}

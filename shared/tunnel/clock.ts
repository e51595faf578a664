// SPDX-License-Identifier: GPL-2.0-or-later
/** Time, so that a test can let a day pass in a second. @module */

import { spanMs } from "../io/clock.ts";

export interface Clock {
  /** Never goes back. */
  nowMs(): number;
  /** @returns what calls it off */
  after(ms: number, run: () => void): () => void;
}

export const realClock: Clock = {
  nowMs: spanMs,
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};

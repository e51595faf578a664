// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What time it is: no other module asks the machine. These are two different questions:
 *
 * - How long did it take? spanMs(), CLOCK_MONOTONIC: it never goes back, whoever sets the clock,
 *   and like the timers it stands still while the machine sleeps. So deadlines count time awake:
 *   a peer that slept with us is not late.
 * - When was it? dateMs(), CLOCK_REALTIME: it may be set in either direction at any moment. What
 *   must not be forgotten by mistake does not rest on it alone (dom0/record/ledger.ts).
 *
 * @module
 */

export interface Clock {
  /** ms since 1970. */
  dateMs(): number;
  /** ms since some moment of this process. */
  spanMs(): number;
  /** Runs it again and again; turns missed while the machine slept are made up for by one. @returns ends that */
  every(ms: number, run: () => void): () => void;
}

export function dateMs(): number {
  return Date.now();
}

export function spanMs(): number {
  return performance.now();
}

export const realClock: Clock = {
  dateMs,
  spanMs,
  every(ms, run) {
    const timer = setInterval(run, ms);
    return () => clearInterval(timer);
  },
};

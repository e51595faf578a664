// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Many waits of the same length that share one timer: a timer for each connection would cost more than
 * the connection. The timer runs on for one length at most after the last wait. Pure.
 *
 * @module
 */

import type { Clock } from "../clock.ts";

export interface Deadlines {
  start(id: number): void;
  /** The wait ended in time. */
  done(id: number): void;
  /** Cancels all of them. */
  close(): void;
}

/** @param onLate called for each wait that was not over in time */
export function createDeadlines(
  clock: Clock,
  limitMs: number,
  onLate: (id: number) => void,
): Deadlines {
  /** In the order in which they fall due, as all are equally long. */
  const dueMs = new Map<number, number>();
  let callOff: (() => void) | null = null;

  const look = (): void => {
    callOff = null;
    const now = clock.nowMs();
    for (const [id, due] of dueMs) {
      if (due > now) return void (callOff = clock.after(due - now, look));
      dueMs.delete(id);
      onLate(id);
    }
  };
  return {
    start(id) {
      dueMs.set(id, clock.nowMs() + limitMs);
      callOff ??= clock.after(limitMs, look);
    },
    done: (id) => void dueMs.delete(id),
    close() {
      dueMs.clear();
      callOff?.();
      callOff = null;
    },
  };
}

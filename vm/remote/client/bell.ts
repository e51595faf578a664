// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Wakes one waiter for any reason; the waiter finds out for itself what has changed.
 *
 * The alarm is AbortSignal.timeout(): the first setTimeout() of a program takes Deno 2.9 some
 * 15 ms (it loads the timers of Node), which is a quarter of what a whole run may take.
 *
 * @module
 */

import { spanMs } from "../../../shared/io/clock.ts";

export interface Bell {
  ring(): void;
  /** Resolves at the next ring, or at once if it rang since the last wait, or when time is up. */
  wait(maxMs: number): Promise<void>;
}

export function createBell(): Bell {
  let rung = false;
  let wake = (): void => {};
  let alarmAtMs = Infinity; // an alarm cannot be stopped: one that comes early enough is kept
  const ring = (): void => {
    rung = true;
    wake();
  };
  const setAlarm = (delayMs: number): void => {
    const atMs = spanMs() + delayMs;
    if (atMs >= alarmAtMs) return;
    alarmAtMs = atMs;
    AbortSignal.timeout(Math.ceil(delayMs)).onabort = () => {
      if (alarmAtMs === atMs) alarmAtMs = Infinity;
      ring();
    };
  };
  return {
    ring,
    async wait(maxMs) {
      if (!rung) {
        setAlarm(maxMs);
        await new Promise<void>((resolve) => wake = resolve);
      }
      rung = false;
    },
  };
}

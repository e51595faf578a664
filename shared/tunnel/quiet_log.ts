// SPDX-License-Identifier: GPL-2.0-or-later
/** A log that a flood of equal events cannot fill: the first at once, the rest counted. @module */

import type { Clock } from "./clock.ts";

/** Equal events within this time become one more line. */
const QUIET_MS = 10_000;

/** @returns a function that logs `text`, unless there was one with that key just now */
export function createQuietLog(
  clock: Clock,
  say: (line: string) => void,
): (key: string, text: string) => void {
  const recent = new Map<string, { sinceMs: number; more: number }>();
  return (key, text) => {
    const now = clock.nowMs();
    const known = recent.get(key);
    if (known !== undefined && now - known.sinceMs < QUIET_MS) {
      known.more++;
      return;
    }
    const before = known?.more ?? 0;
    recent.set(key, { sinceMs: now, more: 0 }); // keys are a closed list per port
    say(before === 0 ? text : `${text} (and ${before} times before)`);
  };
}

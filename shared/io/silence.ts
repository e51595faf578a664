// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * How long the other side has said nothing, counted only while this side could have heard it. A
 * process that was stopped, or a machine that slept, finds its timers late and the words of the
 * other side unread: that time does not count as silence.
 *
 * @module
 */

import type { Clock } from "./clock.ts";

export interface Silence {
  heard(): void;
  /** Call it at the agreed interval. @returns ms of silence */
  lookMs(): number;
}

export function createSilence(paceMs: number, { spanMs }: Pick<Clock, "spanMs">): Silence {
  let heardAtMs = spanMs();
  let lookedAtMs = heardAtMs;
  return {
    heard() {
      heardAtMs = spanMs();
    },
    lookMs() {
      const nowMs = spanMs();
      const lateMs = nowMs - lookedAtMs - paceMs;
      // A call that is a little late means a busy machine; one that is a whole turn late, a pause.
      if (lateMs > paceMs) heardAtMs = Math.min(nowMs, heardAtMs + lateMs);
      lookedAtMs = nowMs;
      return nowMs - heardAtMs;
    },
  };
}

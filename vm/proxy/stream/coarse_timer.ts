// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * setTimeout() for waits that hardly ever come to their end: deadlines, signs of life. A stream
 * needs three of them, and the runtime's own took a tenth of all that a stream cost. These share
 * one, which runs while any is waiting and is late by TICK_MS at most.
 *
 * @module
 */

const TICK_MS = 25;

interface Wait {
  readonly dueMs: number;
  readonly run: () => void;
}

const waits = new Set<Wait>();
let ticking: ReturnType<typeof setInterval> | undefined;

/** @returns what to call when it is not wanted any more; any number of times, at any time */
export function after(ms: number, run: () => void): () => void {
  const wait = { dueMs: performance.now() + ms, run };
  waits.add(wait);
  ticking ??= setInterval(tick, TICK_MS);
  return () => void waits.delete(wait);
}

function tick(): void {
  if (waits.size === 0) { // not earlier: the next request may come at once
    clearInterval(ticking);
    ticking = undefined;
    return;
  }
  const now = performance.now();
  // A tick may be late, and then has several: the one that was due first comes first.
  const due = [...waits].filter(({ dueMs }) => dueMs <= now).sort((a, b) => a.dueMs - b.dueMs);
  for (const wait of due) if (waits.delete(wait)) wait.run();
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** Waits until every endpoint answers: says which do, and what is wrong with the others. @module */

import type { Endpoint } from "./endpoint.ts";

/**
 * Short at first, because usually both are there. Long later: if the policy refuses, each try may be a
 * notification on the screen, and the tunnel works as soon as the agent VM does anyway.
 */
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 300_000;

export interface Waiting {
  readonly endpoints: readonly Endpoint[];
  readonly timeoutMs: number;
  readonly probe: (endpoint: Endpoint) => Promise<string | null>;
  readonly nowMs: () => number;
  /** Resolves early when `stop` fires. */
  readonly pause: (ms: number) => Promise<void>;
  readonly stop: AbortSignal;
  readonly say: (line: string) => void;
  /** After the timeout: go on, less and less often. */
  readonly goOn: boolean;
}

/** @returns whether all of them answered */
export async function waitReady(waiting: Waiting): Promise<boolean> {
  const { nowMs, stop, say, timeoutMs } = waiting;
  const startMs = nowMs();
  let open = [...waiting.endpoints];
  let late = false;
  for (let pauseMs = FIRST_PAUSE_MS;; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    const reasons = await Promise.all(open.map(waiting.probe));
    if (stop.aborted) return false;
    const still: string[] = [];
    open = open.filter((endpoint, index) => {
      const reason = reasons[index] ?? null;
      if (reason === null) say(`${endpoint.name}: ${endpoint.url}`);
      else still.push(`${endpoint.name} does not answer at ${endpoint.healthUrl}: ${reason}`);
      return reason !== null;
    });
    if (open.length === 0) return true;
    const leftMs = startMs + timeoutMs - nowMs();
    if (leftMs <= 0 && !late) {
      late = true;
      for (const line of still) say(line);
      if (!waiting.goOn) return false;
      say("still trying");
    }
    await waiting.pause(late ? pauseMs : Math.min(pauseMs, leftMs));
    if (stop.aborted) return false;
  }
}

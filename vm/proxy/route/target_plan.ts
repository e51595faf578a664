// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What one request does next: which target, how long to wait, or to give up. Pure: the clock and
 * the dice are given.
 *
 * A round goes through the ranks in order; inside a rank the order is drawn by weight. Targets
 * whose breaker is open are passed over, unless nothing else is left in the first round: then the
 * first one is tried all the same: a guess of ours is no reason to refuse a request. What
 * failed for good (a refused key, an unknown model) is not asked again. Between rounds it waits,
 * longer each time, or as long as the upstream said; never beyond the deadline. While another target
 * is left, one that has not begun is given up early enough to ask it.
 *
 * @module
 */

import { type Route, type Target, targetName, type Timing } from "../config/config.ts";

export type Step =
  | { readonly do: "try"; readonly target: Target; readonly timeoutMs: number }
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "give up" };

/** How an attempt failed, as far as it matters for the next one. */
export interface AttemptFailure {
  /** The same target may do better later. */
  readonly again: boolean;
  /** What the upstream said of when. */
  readonly retryAfterMs: number | null;
}

export interface Gate {
  admits(target: Target): boolean;
  /** As admits(), but changes nothing. */
  mayAsk(target: Target): boolean;
}

export interface Dice {
  nowMs(): number;
  /** From 0 to below 1. */
  random(): number;
}

export interface TargetPlan {
  next(): Step;
  failed(target: Target, failure: AttemptFailure): void;
}

const FIRST_BACKOFF_MS = 250;
const MAX_BACKOFF_MS = 8000;
/** How much of the time that is left one target may take while another waits. */
const SHARE_OF_DEADLINE = 0.8;

export function createTargetPlan(
  route: Route,
  timing: Timing,
  streamed: boolean,
  gate: Gate,
  dice: Dice,
): TargetPlan {
  const beganMs = dice.nowMs();
  const dead = new Set<string>();
  const notBeforeMs = new Map<string, number>();
  let round = 0;
  let tried = 0;
  let queue = order(route, dice);

  const leftMs = (): number => timing.deadlineMs - (dice.nowMs() - beganMs);
  const living = (targets: readonly Target[]): Target[] =>
    targets.filter((target) => !dead.has(targetName(target)));
  const attempt = (target: Target): Step => {
    tried++;
    const others = living(queue).some((other) => gate.mayAsk(other));
    const timeoutMs = others ? patienceMs(timing, streamed, leftMs()) : timing.responseMs;
    return { do: "try", target, timeoutMs };
  };
  const nextRound = (): Step => {
    const targets = living(order(route, dice));
    if (round >= timing.retries || targets.length === 0) return { do: "give up" };
    const earliestMs = Math.min(
      ...targets.map((target) => notBeforeMs.get(targetName(target)) ?? 0),
    );
    const ms = Math.max(backoffMs(round, dice), earliestMs - dice.nowMs());
    if (ms >= leftMs()) return { do: "give up" };
    round++;
    queue = targets;
    return { do: "wait", ms };
  };
  return {
    next() {
      if (leftMs() <= 0) return { do: "give up" };
      const all = queue;
      while (queue.length > 0) {
        const [target, ...rest] = queue;
        queue = rest;
        if (target === undefined || dead.has(targetName(target))) continue;
        if ((notBeforeMs.get(targetName(target)) ?? 0) > dice.nowMs()) continue;
        if (gate.admits(target)) return attempt(target);
      }
      const first = living(all)[0];
      if (tried === 0 && first !== undefined) return attempt(first);
      return nextRound();
    },
    failed(target, { again, retryAfterMs }) {
      if (!again) dead.add(targetName(target));
      if (retryAfterMs !== null) {
        notBeforeMs.set(targetName(target), dice.nowMs() + retryAfterMs);
      }
    },
  };
}

/** How long a target may take while another waits to be asked. */
function patienceMs(timing: Timing, streamed: boolean, leftMs: number): number {
  // A whole answer begins when it is done, so it has no other limit than that.
  const longestMs = streamed ? timing.firstByteMs : timing.responseMs;
  return Math.min(longestMs, Math.ceil(leftMs * SHARE_OF_DEADLINE));
}

function backoffMs(round: number, dice: Pick<Dice, "random">): number {
  return Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** round) * (0.5 + dice.random() / 2);
}

/** All targets, rank by rank, each rank drawn by weight. */
export function order(route: Route, dice: Pick<Dice, "random">): Target[] {
  const [only, ...more] = route;
  if (only?.length === 1 && more.length === 0) return [...only]; // most of them
  return route.flatMap((rank) => {
    // The largest random^(1/weight) first: a draw without replacement (Efraimidis, Spirakis).
    if (rank.length < 2) return rank;
    const drawn = rank.map((target) => ({
      target,
      lot: Math.log(1 - dice.random()) / target.weight,
    }));
    return drawn.toSorted((a, b) => b.lot - a.lot).map(({ target }) => target);
  });
}

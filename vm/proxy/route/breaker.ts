// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Circuit breakers, one for each upstream: after enough failures it is left alone for a while,
 * then one request tries it out. A target may also be told to rest (Retry-After).
 *
 *     closed --failures in the window--> open --time is up--> half-open (one probe)
 *       ^---------------- success ------------------------------|    failure: open again
 *
 * @module
 */

import type { BreakerSettings } from "../config/config.ts";

export type KeyState = "good" | "refused" | "missing";
export type BreakerState = "closed" | "open" | "half-open";

export interface Breakers {
  /** Whether a request may go there now; in half-open the caller that gets true is the probe. */
  admits(key: string): boolean;
  /** As admits(), but changes nothing. */
  state(key: string): BreakerState;
  succeeded(key: string): void;
  failed(key: string): void;
  /** A probe that ended without saying anything of the upstream: the client left. */
  abandoned(key: string): void;
  /** It refused our key: told by /health until a request succeeds. */
  keyRefused(key: string): void;
  /** There is none. */
  keyMissing(key: string): void;
  keyState(key: string): KeyState;
  /** Nothing goes there for that long, whatever the failures. */
  rest(key: string, ms: number): void;
  /** When it is worth asking again, in ms from now; 0 now. */
  waitMs(key: string): number;
  keys(): readonly string[];
  /** Forgets everything: the configuration has changed. */
  reset(): void;
}

/** Clients may name any model of a provider, and each that is refused or limited rests. */
const MAX_ENTRIES = 1000;

interface Entry {
  failuresAtMs: number[];
  openUntilMs: number;
  restUntilMs: number;
  probing: boolean;
  key: KeyState;
}

/** All entries; and the entry of a key, which is made if it is missing. */
function createEntries(nowMs: () => number): {
  readonly entries: Map<string, Entry>;
  readonly entry: (key: string) => Entry;
} {
  const entries = new Map<string, Entry>();
  /** A rest that is over goes first; a breaker is never forgotten, its names are of providers. */
  const makeRoom = (): void => {
    const rests = [...entries].filter(([, { failuresAtMs, openUntilMs, probing, key }]) =>
      failuresAtMs.length === 0 && openUntilMs === 0 && !probing && key === "good"
    );
    const over = rests.filter(([, { restUntilMs }]) => restUntilMs <= nowMs());
    for (const [key] of over.length > 0 ? over : rests.slice(0, 1)) entries.delete(key);
  };
  const entry = (key: string): Entry => {
    let found = entries.get(key);
    if (found === undefined) {
      if (entries.size >= MAX_ENTRIES) makeRoom();
      found = { failuresAtMs: [], openUntilMs: 0, restUntilMs: 0, probing: false, key: "good" };
      entries.set(key, found);
    }
    return found;
  };
  return { entries, entry };
}

export function createBreakers(
  settings: () => BreakerSettings,
  nowMs: () => number,
): Breakers {
  const { entries, entry } = createEntries(nowMs);
  const state = (key: string): BreakerState => {
    const found = entries.get(key);
    if (found === undefined) return "closed";
    if (found.restUntilMs > nowMs()) return "open";
    if (found.openUntilMs === 0) return "closed";
    return found.openUntilMs > nowMs() || found.probing ? "open" : "half-open";
  };
  return {
    state,
    admits(key) {
      const now = state(key);
      if (now === "half-open") entry(key).probing = true;
      return now !== "open";
    },
    succeeded(key) {
      const found = entries.get(key);
      if (found === undefined) return;
      Object.assign(found, { failuresAtMs: [], openUntilMs: 0, probing: false, key: "good" });
    },
    keyRefused(key) {
      entry(key).key = "refused";
    },
    keyMissing(key) {
      entry(key).key = "missing";
    },
    keyState: (key) => entries.get(key)?.key ?? "good",
    failed(key) {
      const { failures, windowMs, openMs } = settings();
      const found = entry(key);
      const now = nowMs();
      found.failuresAtMs = found.failuresAtMs.filter((atMs) => atMs > now - windowMs);
      found.failuresAtMs.push(now);
      const probed = found.openUntilMs !== 0;
      found.probing = false;
      if (probed || found.failuresAtMs.length >= failures) found.openUntilMs = now + openMs;
    },
    abandoned(key) {
      const found = entries.get(key);
      if (found !== undefined) found.probing = false;
    },
    rest(key, ms) {
      const found = entry(key);
      found.restUntilMs = Math.max(found.restUntilMs, nowMs() + ms);
    },
    waitMs(key) {
      const found = entries.get(key);
      if (found === undefined) return 0;
      return Math.max(0, found.restUntilMs - nowMs(), found.openUntilMs - nowMs());
    },
    keys: () => [...entries.keys()],
    reset: () => entries.clear(),
  };
}

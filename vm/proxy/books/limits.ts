// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What a client may still use: requests and tokens in a minute, tokens in a day, requests at a
 * time, money in a day and a month. A request is let in against an estimate, which is held until
 * it ends; then what it really took is booked. Pure: clock and books are given.
 *
 * Days and months are those of UTC.
 *
 * @module
 */

import type { Limits } from "../config/config.ts";

export interface Usage {
  readonly tokens: number;
  /** US dollars. */
  readonly spend: number;
}

/** The books: what a client used, by day ("2026-11-22") and month ("2026-11"). */
export interface Ledger {
  day(client: string, day: string): Usage;
  month(client: string, month: string): Usage;
  /** @param target as "provider/model"; null if none answered */
  book(client: string, day: string, usage: Usage, target?: string | null): void;
}

export type Admission =
  | { readonly admitted: true; readonly done: (actual: Usage, target?: string | null) => void }
  | { readonly admitted: false; readonly refusal: LimitRefusal };

export interface LimitRefusal {
  readonly limit: keyof Limits;
  /** null: it is worth nothing to ask again today. */
  readonly retryAfterMs: number | null;
  readonly message: string;
}

export interface Limiter {
  admit(client: string, limits: Limits, estimate: Usage): Admission;
  /** Requests under way. */
  running(client: string): number;
}

interface Running {
  concurrent: number;
  heldTokens: number;
  heldSpend: number;
  /** Of the last minute. */
  recent: { atMs: number; tokens: number }[];
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

export function createLimiter(ledger: Ledger, nowMs: () => number): Limiter {
  const clients = new Map<string, Running>();
  let today = { number: -1, text: "" };
  const dayAt = (ms: number): string => {
    const number = Math.floor(ms / DAY_MS);
    if (number !== today.number) today = { number, text: dayOf(ms) };
    return today.text;
  };
  const of = (client: string): Running => {
    let found = clients.get(client);
    if (found === undefined) {
      found = { concurrent: 0, heldTokens: 0, heldSpend: 0, recent: [] };
      clients.set(client, found);
    }
    return found;
  };
  return {
    running: (client) => clients.get(client)?.concurrent ?? 0,
    admit(client, limits, estimate) {
      const running = of(client);
      const now = nowMs();
      while ((running.recent[0]?.atMs ?? now) <= now - MINUTE_MS) running.recent.shift();
      const refusal = refuse(running, limits, estimate, now, {
        day: () => ledger.day(client, dayAt(now)),
        month: () => ledger.month(client, monthOf(now)),
      });
      if (refusal !== null) return { admitted: false, refusal };
      const entry = { atMs: now, tokens: estimate.tokens };
      const { requestsPerMinute, tokensPerMinute } = limits;
      if (requestsPerMinute !== null || tokensPerMinute !== null) running.recent.push(entry);
      running.concurrent++;
      running.heldTokens += estimate.tokens;
      running.heldSpend += estimate.spend;
      let open = true;
      return {
        admitted: true,
        done(actual, target = null) {
          if (!open) return;
          open = false;
          running.concurrent--;
          running.heldTokens -= estimate.tokens;
          running.heldSpend -= estimate.spend;
          entry.tokens = actual.tokens;
          ledger.book(client, dayAt(nowMs()), actual, target);
        },
      };
    },
  };
}

function refuse(
  running: Running,
  limits: Limits,
  estimate: Usage,
  now: number,
  used: { day(): Usage; month(): Usage },
): LimitRefusal | null {
  const { concurrent, requestsPerMinute, tokensPerMinute } = limits;
  const no = (limit: keyof Limits, message: string, retryAfterMs: number | null) => ({
    limit,
    message,
    retryAfterMs,
  });
  if (concurrent !== null && running.concurrent >= concurrent) {
    return no("concurrent", `${concurrent} requests are under way already`, 1000);
  }
  const oldestMs = running.recent[0]?.atMs ?? now;
  const untilMs = Math.max(1000, oldestMs + MINUTE_MS - now);
  if (requestsPerMinute !== null && running.recent.length >= requestsPerMinute) {
    return no("requestsPerMinute", `${requestsPerMinute} requests in a minute are used`, untilMs);
  }
  const minute = running.recent.reduce((sum, { tokens }) => sum + tokens, 0);
  // A single request above the limit is let in when nothing else runs: else it never would be.
  if (tokensPerMinute !== null && minute > 0 && minute + estimate.tokens > tokensPerMinute) {
    return no("tokensPerMinute", `${tokensPerMinute} tokens in a minute are used`, untilMs);
  }
  return refuseByBooks(running, limits, estimate, used);
}

function refuseByBooks(
  running: Running,
  { tokensPerDay, spendPerDay, spendPerMonth }: Limits,
  estimate: Usage,
  used: { day(): Usage; month(): Usage },
): LimitRefusal | null {
  const no = (limit: keyof Limits, message: string) => ({ limit, message, retryAfterMs: null });
  if (tokensPerDay === null && spendPerDay === null && spendPerMonth === null) return null;
  const day = used.day();
  if (tokensPerDay !== null && day.tokens + running.heldTokens + estimate.tokens > tokensPerDay) {
    return no("tokensPerDay", `the limit of ${tokensPerDay} tokens a day is reached`);
  }
  const more = running.heldSpend + estimate.spend;
  const over = (spent: number, cap: number): boolean => spent + more > cap || spent >= cap;
  if (spendPerDay !== null && over(day.spend, spendPerDay)) {
    return no("spendPerDay", `the cap of ${spendPerDay} US dollars a day is reached`);
  }
  if (spendPerMonth !== null && over(used.month().spend, spendPerMonth)) {
    return no("spendPerMonth", `the cap of ${spendPerMonth} US dollars a month is reached`);
  }
  return null;
}

export function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

export function monthOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 7);
}

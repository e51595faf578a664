// SPDX-License-Identifier: GPL-2.0-or-later
/** Each part of the proxy's bench: the same requests through every way in turn. @module */

import { openConnection, type Reply } from "./http_client.ts";
import type { Add } from "./measure.ts";
import { rssMb } from "./proc.ts";
import { type Way, WAY_TEXT, type WayName } from "./proxy_ways.ts";
import { inRounds, type Spread } from "./rounds.ts";

/** "None": less than this cannot be told apart between processes here. */
const NO_DELAY_MS = 0.05;

/** What a proxy that reads the request and keeps books may take more than one that does nothing. */
const BEYOND_BARE_MS = 1;

export interface ProxyScene {
  readonly ways: readonly Way[];
  readonly add: Add;
  /** All figures of a part, for the file. */
  readonly keep: (part: string, spreads: ReadonlyMap<string, Spread>) => void;
}

/** What one part asks for, and how good it has to be. */
export interface Latency {
  readonly what: string;
  readonly model: string;
  readonly stream: boolean;
  readonly body: Readonly<Record<string, unknown>> | undefined;
  readonly of: (reply: Reply) => number;
  readonly goalMs?: number;
}

const ROUNDS = 9;
const PER_ROUND = 25;
/** In each turn: the first requests of a connection are not what is asked here. */
const UNCOUNTED = 2;

export async function benchLatency(scene: ProxyScene, latency: Latency): Promise<void> {
  const { model, stream, body, of, what } = latency;
  const spreads = await inRounds(ROUNDS, namesOf(scene), async (name) => {
    const way = wayOf(scene, name);
    using connection = await openConnection(way.port);
    const request = way.request(model, stream, body);
    const values: number[] = [];
    for (let at = 0; at < PER_ROUND + UNCOUNTED; at++) {
      const reply = await connection.ask(request);
      if (reply.status !== 200) throw new Error(`${WAY_TEXT[name]} answered ${reply.status}`);
      if (at >= UNCOUNTED) values.push(of(reply));
    }
    return values;
  });
  tell(scene, what, spreads, latency.goalMs);
}

/** How long each chunk of a slow stream was on its way. */
export async function benchChunks(scene: ProxyScene): Promise<void> {
  const spreads = await inRounds(5, namesOf(scene), async (name) => {
    const way = wayOf(scene, name);
    using connection = await openConnection(way.port);
    const clockMs = await clockDifference(wayOf(scene, "direct").port);
    const delays: number[] = [];
    const decoder = new TextDecoder();
    await connection.ask(way.request("stream-50-5", true), (piece, atMs) => {
      for (const [, sentMs] of decoder.decode(piece).matchAll(/@([0-9.]+) /g)) {
        delays.push(performance.timeOrigin + atMs + clockMs - Number(sentMs));
      }
    });
    if (delays.length !== 50) throw new Error(`${delays.length} of 50 chunks came`);
    return delays.slice(1); // the first one is the time to the first token
  });
  tell(scene, "a chunk on its way, 5 ms apart", spreads, NO_DELAY_MS);
}

/** Without gaps: the most chunks that come through in a second. */
export async function benchBurst(scene: ProxyScene): Promise<void> {
  const chunks = 2000;
  const spreads = await inRounds(5, namesOf(scene), async (name) => {
    const way = wayOf(scene, name);
    using connection = await openConnection(way.port);
    const { wholeMs } = await connection.ask(way.request(`stream-${chunks}-0`, true));
    return [1000 * chunks / wholeMs];
  });
  tellRates(scene, "chunks of one stream", spreads);
}

export async function benchRequests(scene: ProxyScene, connections: number): Promise<void> {
  const sliceMs = 700;
  const spreads = await inRounds(5, namesOf(scene), async (name) => {
    const way = wayOf(scene, name);
    const request = way.request("stream-1-0", false);
    const startedMs = performance.now();
    let count = 0;
    await Promise.all(Array.from({ length: connections }, async () => {
      using connection = await openConnection(way.port);
      for (; performance.now() - startedMs < sliceMs; count++) await connection.ask(request);
    }));
    return [1000 * count / (performance.now() - startedMs)];
  });
  tellRates(scene, `requests, ${connections} connections`, spreads);
}

export function benchMemory({ ways, add }: ProxyScene, when: string): void {
  const portkey = ways.find(({ name }) => name === "portkey");
  for (const { name, pid } of ways) {
    if (name === "direct" || name === "bare") continue;
    const compared = name === "ours" && portkey !== undefined;
    const goal = compared ? { goal: rssMb(portkey.pid) } : {};
    add({ name: `${WAY_TEXT[name]}: RSS ${when}`, value: rssMb(pid), unit: "MB", ...goal });
  }
}

/** A proxy runs for days: what its runtime compiles while it learns is not asked here. */
export async function warmUp({ ways }: ProxyScene): Promise<void> {
  for (const way of ways) {
    using connection = await openConnection(way.port);
    for (const stream of [false, true]) {
      const request = way.request("stream-3-0", stream);
      // Portkey holds the first chunk of each stream back for 25 ms.
      for (let at = 0; at < (stream ? 100 : 600); at++) await connection.ask(request);
    }
  }
}

function namesOf({ ways }: ProxyScene): readonly WayName[] {
  return ways.map(({ name }) => name);
}

function wayOf({ ways }: ProxyScene, name: WayName): Way {
  const found = ways.find((way) => way.name === name);
  if (found === undefined) throw new Error(`bug: no way ${name}`);
  return found;
}

function tell(
  { add, keep }: ProxyScene,
  what: string,
  spreads: ReadonlyMap<WayName, Spread>,
  goalMs?: number,
): void {
  keep(what, spreads);
  const direct = spreads.get("direct")?.p50 ?? NaN;
  const directP99 = spreads.get("direct")?.p99 ?? NaN;
  const portkey = spreads.get("portkey");
  for (const [name, { p50, from, to, p99 }] of spreads) {
    const text = `${WAY_TEXT[name]}: ${what}`;
    if (name === "direct") {
      add({ name: `${text}, p50`, value: p50, unit: "ms" });
      add({ name: `${text}, p99`, value: p99, unit: "ms" });
      continue;
    }
    const middle = `${(from - direct).toFixed(2)} to ${(to - direct).toFixed(2)}`;
    const goal = name === "ours" && goalMs !== undefined ? { goal: goalMs } : {};
    add({ name: `${text}, added p50 (${middle})`, value: p50 - direct, unit: "ms", ...goal });
    add({ name: `${text}, added p99`, value: p99 - directP99, unit: "ms" });
  }
  const ours = spreads.get("ours");
  const bare = spreads.get("bare");
  if (ours === undefined) return;
  if (bare !== undefined) {
    const own = { value: ours.p50 - bare.p50, unit: "ms", goal: BEYOND_BARE_MS };
    add({ name: `${what}: beyond a bare pass-through`, ...own });
  }
  if (portkey === undefined) return;
  const ratio = (ours.p50 - direct) / (portkey.p50 - direct);
  add({ name: `${what}: of what Portkey adds`, value: 100 * ratio, unit: "%", goal: 100 });
}

function tellRates(
  { add, keep }: ProxyScene,
  what: string,
  spreads: ReadonlyMap<WayName, Spread>,
): void {
  keep(what, spreads);
  const portkey = spreads.get("portkey")?.p50;
  for (const [name, { p50, from, to }] of spreads) {
    const text = `${WAY_TEXT[name]}: ${what} (middle half ${from.toFixed(0)} to ${to.toFixed(0)})`;
    const goal = name === "ours" && portkey !== undefined ? { goal: Math.round(portkey) } : {};
    add({ name: text, value: p50, unit: "/s", moreIsBetter: true, ...goal });
  }
}

/** How far the double's clock is ahead of ours: of many tries the one that took least. */
async function clockDifference(port: number): Promise<number> {
  using connection = await openConnection(port);
  const request = new TextEncoder().encode("GET /clock HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
  let best = { tookMs: Infinity, difference: 0 };
  for (let tries = 0; tries < 20; tries++) {
    let said = "";
    const askedMs = performance.now();
    const { wholeMs } = await connection.ask(request, (piece) => {
      said += new TextDecoder().decode(piece);
    });
    const oursMs = performance.timeOrigin + askedMs + wholeMs / 2;
    if (wholeMs < best.tookMs) best = { tookMs: wholeMs, difference: Number(said) - oursMs };
  }
  return best.difference;
}

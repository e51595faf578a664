// SPDX-License-Identifier: GPL-2.0-or-later
/** Each part of the tunnel's bench: one thing done through all ways in turn. @module */

import { type Add, interleaved, inTurns, type Summary, summary } from "./measure.ts";
import type { FarEnd } from "./far-end.ts";
import {
  bulk,
  bulkThroughCall,
  type Chat,
  connectAndEcho,
  type Direction,
  eventDelays,
  getOnce,
  openChat,
  openSocket,
} from "./tunnel_client.ts";
import type { BenchQrexec } from "./tunnel_qrexec.ts";
import { type Way, WAY_TEXT, type WayName } from "./tunnel_ways.ts";

export interface Scene {
  readonly qrexec: BenchQrexec;
  readonly far: FarEnd;
  readonly ways: readonly Way[];
  readonly add: Add;
}

/** What reference/qrexec.md has for them: connect and one byte echoed, p50. */
const KNOWN_CALL_MS = 4.2;
const KNOWN_CONNECT_MS: Partial<Record<WayName, number>> = { loopback: 0.17, socat: 9.2 };
const EVENTS = 20;
const EVENT_GAP_MS = 20;
/** Connections before those that count. */
const WARM_UP = 100;
/** The pause is for what the processes of the connections before do to end. */
const CONNECT_TURNS = { perTurn: 6, pauseMs: 6 } as const;

/** The same for every way, by its name. */
function perWay<T>(ways: readonly Way[], make: (way: Way) => T): Record<string, T> {
  return Object.fromEntries(ways.map((way) => [way.name, make(way)]));
}

function value<T>(values: Readonly<Record<string, T>>, name: WayName): T {
  const found = values[name];
  if (found === undefined) throw new Error(`bug: nothing measured for ${name}`);
  return found;
}

/** What one call costs without anything around it. */
export async function benchCall({ qrexec, far, add }: Scene): Promise<void> {
  const first: number[] = [];
  for (let round = 0; round < 60; round++) {
    const started = performance.now();
    const child = qrexec.call(`qubes.ConnectTCP+${far.raw}`).spawn();
    const [writer, reader] = [child.stdin.getWriter(), child.stdout.getReader()];
    await writer.write(new TextEncoder().encode("e."));
    if ((await reader.read()).done) throw new Error("the call of qubes.ConnectTCP failed");
    first.push(performance.now() - started);
    await writer.close();
    while (!(await reader.read()).done);
    await child.status;
  }
  const known = KNOWN_CALL_MS;
  const name = `one call of qrexec-client (${qrexec.kind}), first echo`;
  add({ name: `${name}, p50`, value: summary(first).p50, unit: "ms", known });
}

export async function benchConnect({ ways, add }: Scene): Promise<void> {
  const runs = perWay(ways, ({ raw }) => () => connectAndEcho(raw));
  for (const run of Object.values(runs)) {
    for (let round = 0; round < WARM_UP; round++) await run(); // a tunnel runs for days
  }
  const { first, rest: times } = await inTurns(50, { ...CONNECT_TURNS, runs });
  tell(times, ways, add, "connect and echo", "ms");
  for (const { name } of ways) {
    const text = `${WAY_TEXT[name]}: the same after a pause, p50`;
    add({ name: text, value: value(first, name).p50, unit: "ms" });
  }
  const [bare, kept, direct] = (["loopback", "persistent", "direct"] as const)
    .map((name) => value(times, name).p50);
  if (bare === undefined || kept === undefined || direct === undefined) return;
  const persistent = WAY_TEXT.persistent;
  add({
    name: `${persistent}: added per connection, p50`,
    value: kept - bare,
    unit: "ms",
    goal: 1,
  });
  const socat = times["socat"]?.p50;
  if (socat === undefined) return;
  const faster = { unit: "x", moreIsBetter: true };
  add({ name: `${persistent}: faster than socat EXEC:`, value: socat / kept, goal: 5, ...faster });
  add({
    name: "direct mode: faster than socat EXEC:",
    value: socat / direct,
    goal: 1.2,
    ...faster,
  });
}

function tell(
  times: Readonly<Record<string, Summary>>,
  ways: readonly Way[],
  add: Add,
  what: string,
  unit: string,
): void {
  const loopback = value(times, "loopback").p50;
  for (const { name } of ways) {
    const { p50, p99 } = value(times, name);
    const text = `${WAY_TEXT[name]}: ${what}`;
    const known = what === "connect and echo" ? KNOWN_CONNECT_MS[name] : undefined;
    const baseline = name === "loopback" ? undefined : { name: "loopback", value: loopback };
    add({
      name: `${text}, p50`,
      ...{ value: p50, unit },
      ...(known === undefined ? {} : { known }),
      ...(baseline === undefined ? {} : { baseline }),
    });
    add({ name: `${text}, p99`, value: p99, unit });
  }
}

/** Requests with a connection each, 8 at once, in slices of the ways in turn. */
export async function benchRequests({ ways, add }: Scene): Promise<void> {
  const [slices, sliceMs, atOnce] = [3, 700, 8];
  const done = new Map<WayName, number>();
  const spent = new Map<WayName, number>();
  for (let slice = 0; slice < slices; slice++) {
    for (const { name, http } of ways) {
      const started = performance.now();
      let count = 0;
      const one = async (): Promise<void> => {
        while (performance.now() - started < sliceMs) if (await getOnce(http)) count++;
      };
      await Promise.all(Array.from({ length: atOnce }, one));
      done.set(name, (done.get(name) ?? 0) + count);
      spent.set(name, (spent.get(name) ?? 0) + performance.now() - started);
      await pause(100);
    }
  }
  for (const { name } of ways) {
    const perSecond = 1000 * (done.get(name) ?? 0) / (spent.get(name) ?? NaN);
    add({ name: `${WAY_TEXT[name]}: requests, 8 at once`, value: perSecond, unit: "/s" });
  }
}

export async function benchEvents({ ways, add }: Scene): Promise<void> {
  const delays = new Map<WayName, number[]>(ways.map(({ name }) => [name, []]));
  for (let round = 0; round < 3; round++) {
    for (const { name, http } of ways) {
      delays.get(name)?.push(...await eventDelays(http, EVENTS, EVENT_GAP_MS));
    }
  }
  const times = perWay(ways, ({ name }) => summary(delays.get(name) ?? []));
  tell(times, ways, add, "an event on its way", "ms");
}

export async function benchSockets({ ways, add }: Scene): Promise<void> {
  const sockets = new Map<WayName, Chat>();
  for (const { name, http } of ways) sockets.set(name, await openSocket(http));
  const runs = perWay(ways, ({ name }) => () => sockets.get(name)?.roundTrip() ?? Promise.reject());
  tell(await interleaved(300, runs), ways, add, "WebSocket round trip", "ms");
  for (const socket of sockets.values()) socket[Symbol.dispose]();
}

export async function benchBulk({ qrexec, ways, add }: Scene): Promise<void> {
  for (const direction of ["down", "up"] as const) {
    const rates = new Map<string, number[]>();
    const note = (name: string, rate: number): void =>
      void rates.set(name, [...rates.get(name) ?? [], rate]);
    for (let round = 0; round < 3; round++) {
      note("cat", await bulkThroughCall(qrexec.vm, qrexec.env, direction));
      for (const { name, raw } of ways) note(name, await bulk(raw, direction));
    }
    tellBulk(rates, direction, ways, add);
  }
}

function tellBulk(
  rates: ReadonlyMap<string, readonly number[]>,
  direction: Direction,
  ways: readonly Way[],
  add: Add,
): void {
  const of = (name: string): number => summary(rates.get(name) ?? []).p50;
  const arrow = direction === "down" ? "VM to dom0" : "dom0 to VM";
  const common = { unit: "MiB/s", moreIsBetter: true };
  add({ name: `cat through a call: 256 MiB ${arrow}`, value: of("cat"), ...common });
  for (const { name } of ways) {
    add({ name: `${WAY_TEXT[name]}: 256 MiB ${arrow}`, value: of(name), ...common });
  }
  for (const mode of ["persistent", "direct"] as const) {
    const name = `${WAY_TEXT[mode]}: of what cat reaches, ${arrow}`;
    const percent = 100 * of(mode) / of("cat");
    add({ name, value: percent, unit: "%", goal: 80, moreIsBetter: true });
  }
}

/** Small round trips on one connection while another downloads. */
export async function benchChatBesideBulk({ ways, add }: Scene): Promise<void> {
  const times = new Map<WayName, number[]>(ways.map(({ name }) => [name, []]));
  for (let round = 0; round < 2; round++) {
    for (const { name, raw } of ways) {
      using chat = await openChat(raw);
      let isOver = false;
      const download = bulk(raw, "down").finally(() => isOver = true);
      await pause(50);
      while (!isOver) {
        const started = performance.now();
        await chat.roundTrip();
        times.get(name)?.push(performance.now() - started);
        await pause(2);
      }
      await download;
    }
  }
  const all = perWay(ways, ({ name }) => summary(times.get(name) ?? []));
  tell(all, ways, add, "round trip beside a download", "ms");
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

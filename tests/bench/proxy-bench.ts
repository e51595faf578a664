// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * "make bench", the proxy's part: a model's double asked directly, through a bare pass-through,
 * through openclaw-proxy and through Portkey's gateway from npm, in turns, in one run. Prints a table, writes
 * build/bench-proxy.json. Nothing is asserted: a goal is met or missed.
 *
 * @module
 */

import { writeAll } from "../../shared/cli/program.ts";
import { startReport } from "./measure.ts";
import { agentRequest } from "./prompt.ts";
import { benchFailover } from "./proxy_failover.ts";
import {
  benchBurst,
  benchChunks,
  benchLatency,
  benchMemory,
  benchRequests,
  type ProxyScene,
  warmUp,
} from "./proxy_parts.ts";
import { bareWay, ownWay, portkeyWay, startDouble, type Way } from "./proxy_ways.ts";
import type { Spread } from "./rounds.ts";

const say = (text: string): void => writeAll(Deno.stdout, text);

async function main(): Promise<number> {
  const ways: Way[] = [];
  try {
    const double = await startDouble();
    ways.push(double, await bareWay(double));
    ways.push(await ownWay(double, "ours"), await ownWay(double, "capped"));
    const portkey = await portkeyWay(double);
    if (typeof portkey === "string") say(`Portkey's rows are left out: ${portkey}\n`);
    else ways.push(portkey);
    await measure(double, ways);
    return 0;
  } finally {
    for (const way of ways.toReversed()) await way.stop();
  }
}

async function measure(double: Way, ways: readonly Way[]): Promise<void> {
  const { add, write } = startReport();
  const spreads: Record<string, Readonly<Record<string, Spread>>> = {};
  const keep: ProxyScene["keep"] = (part, found) => spreads[part] = Object.fromEntries(found);
  const scene = { ways, add, keep };
  const machine = { cpus: navigator.hardwareConcurrency, load: loadText() };
  say(`${machine.cpus} processors, load ${machine.load}\n`);
  benchMemory(scene, "after the start");
  await warmUp(scene);
  for (const [size, body] of [["small", undefined], ["60 KB", agentRequest()]] as const) {
    await benchLatency(scene, {
      ...{ what: `whole answer, ${size} request`, model: "stream-1-0", stream: false, body },
      ...{ of: ({ wholeMs }) => wholeMs, goalMs: 2 },
    });
    await benchLatency(scene, {
      ...{ what: `first token, ${size} request`, model: "stream-3-0", stream: true, body },
      ...{ of: ({ firstMs }) => firstMs, goalMs: 1 },
    });
  }
  await benchChunks(scene);
  await benchBurst(scene);
  const loaded = { ...scene, ways: ways.filter(({ name }) => name !== "capped") };
  await benchRequests(loaded, 8);
  await benchRequests(loaded, 64);
  benchMemory(scene, "after the run");
  await benchFailover(double, add);
  say(`load ${loadText()}\n`);
  await write("bench-proxy.json", { machine, loadAfter: loadText(), spreads });
}

function loadText(): string {
  return Deno.loadavg().map((load) => load.toFixed(2)).join(" ");
}

if (import.meta.main) Deno.exit(await main());

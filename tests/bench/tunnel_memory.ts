// SPDX-License-Identifier: GPL-2.0-or-later
/** What open connections cost in memory, for each way. @module */

import { allPids, commandOf, ownMb, pssMb, rssMb, withDescendants } from "./proc.ts";
import { type Chat, openChat } from "./tunnel_client.ts";
import type { Scene } from "./tunnel_parts.ts";
import { type Way, WAY_TEXT } from "./tunnel_ways.ts";

/** A tunnel alone, as here, has 4 places in direct mode (call_budget.ts); told per 100. */
const CONNECTIONS = { loopback: 100, socat: 100, direct: 4, persistent: 100 } as const;
const RSS_GOAL_MB = 60;

/** @param when for the names of the figures */
export async function benchMemory({ ways, far, add }: Scene, when: string): Promise<void> {
  for (const way of ways) {
    if (way.name === "loopback") continue;
    const count = CONNECTIONS[way.name];
    const before = totalMb(way, far.raw);
    const chats: Chat[] = [];
    // Ten at a time: the calls of the real qrexec fail when too many are set up at once.
    while (chats.length < count) {
      const length = Math.min(10, count - chats.length);
      chats.push(...await Promise.all(Array.from({ length }, () => opened(way.raw))));
    }
    const after = totalMb(way, far.raw);
    const name = WAY_TEXT[way.name];
    if (way.name !== "socat") {
      const main = Math.max(...way.pids.map(rssMb));
      const goal = way.name === "persistent" ? { goal: RSS_GOAL_MB } : {};
      add({
        name: `${name}: RSS of the tunnel, ${count} open${when}`,
        value: main,
        unit: "MB",
        ...goal,
      });
      const own = Math.max(...way.pids.map(ownMb));
      add({ name: `${name}: of it not the program's file${when}`, value: own, unit: "MB" });
    }
    if (way.name === "persistent") {
      const mux = Math.max(0, ...muxPids(far.raw).map(rssMb));
      add({ name: `${name}: RSS of openclaw.Mux, ${count} open${when}`, value: mux, unit: "MB" });
    }
    const each = 100 * (after - before) / count;
    add({
      name: `${name}: all its processes (PSS), ${count} open${when}`,
      value: after,
      unit: "MB",
    });
    add({ name: `${name}: memory per 100 connections (PSS)${when}`, value: each, unit: "MB" });
    for (const chat of chats) chat[Symbol.dispose]();
  }
}

/** In direct mode a place is free a moment after the connection before has ended. */
async function opened(port: number): Promise<Chat> {
  for (let attempt = 1;; attempt++) {
    try {
      return await openChat(port);
    } catch (error) {
      if (attempt === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** The way's own processes, and in the VM what its calls started. */
function totalMb(way: Way, port: number): number {
  const pids = new Set(withDescendants(way.pids));
  if (way.name === "persistent") { for (const pid of muxPids(port)) pids.add(pid); }
  return [...pids].reduce((sum, pid) => sum + pssMb(pid), 0);
}

function muxPids(port: number): readonly number[] {
  return allPids().filter((pid) => {
    const command = commandOf(pid);
    return /openclaw\.Mux(\.ts|\.js)? /.test(command) && command.endsWith(` ${port}`) &&
      !command.startsWith("socat");
  });
}

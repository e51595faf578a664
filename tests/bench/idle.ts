// SPDX-License-Identifier: GPL-2.0-or-later
/** What an idle system does: processes started, processor time, memory. From /proc. @module */

import { allPids, commandOf, parentOf, read, rssMb, TICKS_PER_SECOND, ticksOf } from "./proc.ts";

const LOOK_EVERY_MS = 50;

export interface Idle {
  readonly processesStarted: number;
  /** Of the daemon and the queue services together, of one processor. */
  readonly cpuPercent: number;
  readonly daemonRssMb: number;
}

/** @param folder a world's folder: its processes are those that name it */
export async function measureIdle(
  daemonPid: number,
  folder: string,
  durationMs: number,
): Promise<Idle> {
  const watched = [daemonPid, ...findByCommand("qvmremote.Queue", folder)];
  if (watched.length < 2) throw new Error("no queue service is running");
  const known = new Set(pidsOf(folder, daemonPid));
  const started = performance.now();
  const before = ticksOf(watched);
  let processesStarted = 0;
  while (performance.now() - started < durationMs) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    for (const pid of pidsOf(folder, daemonPid)) {
      if (known.has(pid)) continue;
      known.add(pid);
      processesStarted++;
    }
  }
  const seconds = (performance.now() - started) / 1000;
  return {
    processesStarted,
    cpuPercent: 100 * (ticksOf(watched) - before) / TICKS_PER_SECOND / seconds,
    daemonRssMb: rssMb(daemonPid),
  };
}

/** Children of the daemon, and whatever runs in the world. */
function pidsOf(folder: string, daemonPid: number): number[] {
  return allPids().filter((pid) =>
    parentOf(pid) === daemonPid || read(`/proc/${pid}/environ`).includes(folder)
  );
}

function findByCommand(word: string, folder: string): number[] {
  return allPids().filter((pid) =>
    commandOf(pid).includes(word) && read(`/proc/${pid}/comm`).startsWith("deno") &&
    read(`/proc/${pid}/environ`).includes(folder)
  );
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** What an idle system does: processes started, processor time, memory. From /proc. @module */

import { allPids, commandOf, parentOf, read, rssMb, TICKS_PER_SECOND, ticksOf } from "./proc.ts";

const LOOK_EVERY_MS = 50;

export interface Idle {
  readonly processesStarted: number;
  /** Of one processor. */
  readonly daemonCpuPercent: number;
  /** The same of the busiest queue service: each is in a VM of its own. */
  readonly queueCpuPercent: number;
  readonly daemonRssMb: number;
}

/** @param folder a world's folder: its processes are those that name it */
export async function measureIdle(
  daemonPid: number,
  folder: string,
  durationMs: number,
): Promise<Idle> {
  const queues = findByCommand("qvmremote.Queue", folder);
  if (queues.length === 0) throw new Error("no queue service is running");
  const known = new Set(pidsOf(folder, daemonPid));
  const started = performance.now();
  const ticks = (): number[] => [daemonPid, ...queues].map((pid) => ticksOf([pid]));
  const before = ticks();
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
  const [daemonCpuPercent = NaN, ...queueCpuPercents] = ticks().map((now, index) =>
    100 * (now - (before[index] ?? 0)) / TICKS_PER_SECOND / seconds
  );
  return {
    processesStarted,
    daemonCpuPercent,
    queueCpuPercent: Math.max(...queueCpuPercents),
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
    commandOf(pid).includes(word) && !commandOf(pid).includes("qrexec-client") && // its caller
    read(`/proc/${pid}/comm`).startsWith("deno") &&
    read(`/proc/${pid}/environ`).includes(folder)
  );
}

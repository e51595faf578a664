// SPDX-License-Identifier: GPL-2.0-or-later
/** What an idle system does: processes started, processor time, memory. From /proc. @module */

/** USER_HZ: what /proc counts processor time in. */
const TICKS_PER_SECOND = 100;
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
    read(`/proc/${pid}/cmdline`).includes(word) && read(`/proc/${pid}/comm`).startsWith("deno") &&
    read(`/proc/${pid}/environ`).includes(folder)
  );
}

function allPids(): number[] {
  return [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter(Number.isInteger);
}

function fieldsOf(pid: number): readonly string[] {
  const stat = read(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

function parentOf(pid: number): number {
  return Number(fieldsOf(pid)[1]);
}

function ticksOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const fields = fieldsOf(pid);
    return sum + Number(fields[11]) + Number(fields[12]);
  }, 0);
}

function rssMb(pid: number): number {
  return Number(/VmRSS:\s+([0-9]+) kB/.exec(read(`/proc/${pid}/status`))?.[1]) / 1024;
}

function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return ""; // it ended
  }
}

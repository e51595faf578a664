// SPDX-License-Identifier: GPL-2.0-or-later
/** Processes of this machine, from /proc: 0 or "" for one that has ended. @module */

/** USER_HZ: what /proc counts processor time in. */
export const TICKS_PER_SECOND = 100;

export function allPids(): number[] {
  return [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter(Number.isInteger);
}

function fieldsOf(pid: number): readonly string[] {
  const stat = read(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

export function parentOf(pid: number): number {
  return Number(fieldsOf(pid)[1]);
}

/** Processor time used by them, in ticks. */
export function ticksOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const fields = fieldsOf(pid);
    return sum + Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
  }, 0);
}

export function rssMb(pid: number): number {
  return Number(/VmRSS:\s+([0-9]+) kB/.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) / 1024;
}

/** The most that it had since it started, or since forgetPeak(). */
export function peakMb(pid: number): number {
  return Number(/VmHWM:\s+([0-9]+) kB/.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) / 1024;
}

export function forgetPeak(pid: number): void {
  Deno.writeTextFileSync(`/proc/${pid}/clear_refs`, "5");
}

/** Of it what is not the program's own file: that part costs once, however many run. */
export function ownMb(pid: number): number {
  return Number(/RssAnon:\s+([0-9]+) kB/.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) / 1024;
}

export function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return ""; // it ended
  }
}

/** The command line, its words apart by spaces. */
export function commandOf(pid: number): string {
  return read(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim();
}

/** Memory of its own and its share of what it shares: may be added up, unlike RSS. */
export function pssMb(pid: number): number {
  return Number(/^Pss:\s+([0-9]+) kB/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0) / 1024;
}

/** These processes and all that they started and that still descend from them. */
export function withDescendants(roots: readonly number[]): readonly number[] {
  const parents = allPids().map((pid) => ({ pid, parent: parentOf(pid) }));
  const found = new Set(roots);
  for (let before = 0; before < found.size;) {
    before = found.size;
    for (const { pid, parent } of parents) if (found.has(parent)) found.add(pid);
  }
  return [...found];
}

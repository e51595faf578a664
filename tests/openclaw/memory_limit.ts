// SPDX-License-Identifier: GPL-2.0-or-later
/** The memory that a service's unit would give it, where this machine lets a test set a limit. @module */

/** A folder of the memory controller (cgroup 1); processes enter it by their own hand. */
export interface MemoryLimit {
  readonly folder: string;
  /** The most that was in use at once; file cache counts. */
  peakBytes(): number;
  /** Whether the kernel had to kill. */
  kills(): number;
  /** When nothing is in it any more. */
  remove(): void;
}

const CONTROLLER = "/sys/fs/cgroup/memory";

/** @returns null where there is no such controller, or it is not ours to use */
export function limitMemory(bytes: number): MemoryLimit | null {
  const folder = `${CONTROLLER}/qubes-claw-test-${Deno.pid}`;
  const read = (name: string): string => Deno.readTextFileSync(`${folder}/${name}`);
  try {
    Deno.mkdirSync(folder);
    Deno.writeTextFileSync(`${folder}/memory.limit_in_bytes`, String(bytes));
  } catch {
    return null;
  }
  return {
    folder,
    peakBytes: () => Number(read("memory.max_usage_in_bytes")),
    kills: () => Number(/^oom_kill (\d+)$/m.exec(read("memory.oom_control"))?.[1] ?? 0),
    remove: () => Deno.removeSync(folder),
  };
}

/** Resident now and at its highest, of all these processes together; the highs may not coincide. */
export function residentBytes(
  pids: readonly number[],
): { readonly now: number; readonly peak: number } {
  let [now, peak] = [0, 0];
  for (const pid of pids) {
    try {
      const status = Deno.readTextFileSync(`/proc/${pid}/status`);
      now += 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
      peak += 1024 * Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
    } catch {
      // it has ended
    }
  }
  return { now, peak };
}

export const mib = (bytes: number): number => Math.round(bytes / 1024 / 1024);

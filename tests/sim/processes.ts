// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Which processes of this machine are inside a VM of the simulation, and
 * signals to all of them.
 *
 * A process is inside if its environment carries the VM's mark, if its parent
 * is inside, or if it belongs to a session the agent started. So daemons that
 * forked twice and programs with a cleared environment are found. Not found is
 * only what did all three at once: cleared the mark, left the session, lost
 * its parent.
 *
 * @module
 */
import { VM_MARK, WORLD_MARK } from "./environment.ts";
import { isGone, readTextIfAny } from "./files.ts";

/** What /proc says of one process. */
export interface ProcessInfo {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
  /** In clock ticks since boot: tells a process from a later one of that pid. */
  readonly startTime: string;
  readonly isZombie: boolean;
}

/** How long a killed process may take to be gone; the kernel needs far less. */
const MAX_DYING_MS = 5_000;
const RESCAN_MS = 2;

/** @returns the process, or undefined if there is none of that pid. */
export function processInfo(pid: number): ProcessInfo | undefined {
  const stat = readProc(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  // The second field is the name in brackets; it may hold anything.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return {
    pid,
    parent: Number(fields[1]),
    session: Number(fields[3]),
    startTime: fields[19] ?? "",
    isZombie: fields[0] === "Z",
  };
}

/** Every process inside the VM, or, without `vm`, inside the world. */
export function processesInside(
  folder: string,
  vm: string | undefined,
  sessionsFile?: string,
): ProcessInfo[] {
  const sessions = readSessions(sessionsFile);
  const all = [...Deno.readDirSync("/proc")].filter((entry) => /^\d+$/.test(entry.name))
    .flatMap((entry) => processInfo(Number(entry.name)) ?? []);
  const spared = ancestors(all);
  const inside = new Set<number>();
  for (const info of all) {
    if (hasMark(info.pid, folder, vm) || sessions.has(info.session)) inside.add(info.pid);
  }
  for (let before = -1; before !== inside.size;) {
    before = inside.size;
    for (const info of all) if (inside.has(info.parent)) inside.add(info.pid);
  }
  return all.filter((info) => inside.has(info.pid) && !spared.has(info.pid) && !info.isZombie);
}

/** Sends a signal to every process inside; returns how many there were. */
export function signalInside(
  signal: Deno.Signal,
  folder: string,
  vm: string | undefined,
  sessionsFile?: string,
): number {
  const inside = processesInside(folder, vm, sessionsFile);
  for (const { pid } of inside) signalProcess(pid, signal);
  return inside.length;
}

/** Kills until nothing is left, so that a fork in between does not escape. */
export async function killInside(
  folder: string,
  vm: string | undefined,
  sessionsFile?: string,
): Promise<void> {
  const deadline = Date.now() + MAX_DYING_MS;
  while (signalInside("SIGKILL", folder, vm, sessionsFile) > 0) {
    if (Date.now() > deadline) throw new Error(`processes of "${vm ?? folder}" do not end`);
    await new Promise((resolve) => setTimeout(resolve, RESCAN_MS));
  }
}

/** Sends a signal; a process that is gone already is no failure. */
export function signalProcess(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

/** True if the process that had this pid and start time still runs. */
export function isAlive(pid: number, startTime: string): boolean {
  const info = processInfo(pid);
  return info !== undefined && info.startTime === startTime && !info.isZombie;
}

/** Value of one variable in the environment a process was started with. */
export function variableOf(pid: number, name: string): string | undefined {
  const prefix = `${name}=`;
  return readProc(`/proc/${pid}/environ`)?.split("\0").find((entry) => entry.startsWith(prefix))
    ?.slice(prefix.length);
}

function hasMark(pid: number, folder: string, vm: string | undefined): boolean {
  const environ = readProc(`/proc/${pid}/environ`);
  if (environ === undefined || !environ.includes(WORLD_MARK)) return false;
  const entries = environ.split("\0");
  return entries.includes(`${WORLD_MARK}=${folder}`) &&
    (vm === undefined || entries.includes(`${VM_MARK}=${vm}`));
}

/** This process and those above it: a tool that kills its world must live. */
function ancestors(all: readonly ProcessInfo[]): Set<number> {
  const parents = new Map(all.map((info) => [info.pid, info.parent]));
  const found = new Set<number>();
  for (let pid: number | undefined = Deno.pid; pid; pid = parents.get(pid)) found.add(pid);
  return found;
}

/** Sessions in the file whose leader's pid has not gone to a later process. */
export function readSessions(file: string | undefined): Set<number> {
  const lines = file === undefined ? [] : (readTextIfAny(file) ?? "").trimEnd().split("\n");
  const sessions = new Set<number>();
  for (const line of lines) {
    const [pid = "", startTime = ""] = line.split(" ");
    const now = processInfo(Number(pid));
    if (pid !== "" && (now === undefined || now.startTime === startTime)) {
      sessions.add(Number(pid));
    }
  }
  return sessions;
}

/** Others' processes cannot be read, and processes end while they are read. */
function readProc(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (isGone(error) || error instanceof Deno.errors.PermissionDenied) return undefined;
    if (error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The processes of one command: limiting their number, and ending them all. There are two
 * implementations: a cgroup (cgroup_groups.ts) and, with --no-cgroup, what can be found in /proc
 * (session_groups.ts).
 *
 * Deno opens /proc and /sys only to programs with every permission. This daemon has no network
 * permission, so a few lines of bash look there for it: warden.ts has all of them.
 *
 * @module
 */

export interface ProcessGroup {
  signal(signal: "TERM" | "KILL"): Promise<void>;
  /** Ends what is left and gives the group back. In a hurry, processes that are not seen are ended later. */
  close(inHurry: boolean): Promise<GroupEnd>;
}

export interface GroupEnd {
  /** All of it was killed, because it had too many processes. */
  readonly hadTooManyProcesses: boolean;
  /** The kernel refused it a process, at the limit. */
  readonly wasRefusedProcess: boolean;
  /** The kernel killed one of its processes: at its own memory limit, or at that of all commands. */
  readonly ranOutOfMemory: "own" | "total" | null;
  /** How many processes were left, and were ended; 0 if there was none, or nobody looked. */
  readonly left: number;
}

export interface Member {
  /** Unique, and in the environment of every process of the command. */
  readonly mark: string;
  /** Of the command's first process, which leads its session. */
  readonly pid: number;
  /** As newCgroup() named it. */
  readonly cgroup: string;
  readonly maxProcesses: number;
}

/** What all commands together may use, where the kernel enforces it. */
export interface Totals {
  readonly maxTotalProcesses: number;
  readonly maxTotalMemoryBytes: number;
}

/** How the limits of the commands are enforced. */
export interface LimitsInForce {
  /** "watched": looked at many times a second; the whole command is killed when it has too many. */
  readonly processes: "kernel" | "watched" | "none";
  readonly memory: "kernel" | "none";
}

export interface Groups {
  readonly limits: LimitsInForce;
  /** A name for the cgroup of a future command, never given out twice; "" for none. */
  newCgroup(): string;
  /** A cgroup that was not used after all. */
  dropCgroup(cgroup: string): void;
  make(member: Member): ProcessGroup;
  setTotals(totals: Totals): Promise<void>;
  /** No command runs, and none will. */
  close(): void;
}

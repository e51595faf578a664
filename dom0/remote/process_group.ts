// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The processes of one command, as a whole: how many there are, and how to end them all.
 * Two ways, one interface: a cgroup, which nothing leaves (cgroup_groups.ts), and where no
 * cgroup was delegated, what can be found in /proc (session_groups.ts).
 *
 * Deno opens /proc and /sys only to programs with every permission. This daemon has no network
 * permission, so a few lines of bash look there for it: warden.ts has all of them.
 *
 * @module
 */

export interface ProcessGroup {
  /** The cgroup that the command joins; "" for none. */
  readonly cgroup: string;
  /** The kernel keeps the limit of processes: nobody has to count. */
  readonly limitsProcesses: boolean;
  /** @param pid of the command's first process, which leads its session */
  started(pid: number): void;
  count(): Promise<number>;
  signal(signal: "TERM" | "KILL"): Promise<void>;
  /** Ends what is left and gives the group back. In a hurry, what is not seen is ended later. */
  close(inHurry: boolean): Promise<GroupEnd>;
}

export interface GroupEnd {
  /** The kernel ended a process of the command, at the limit of its memory. */
  readonly ranOutOfMemory: boolean;
}

export interface Groups {
  /** @param mark unique, and in the environment of every process of the command */
  make(mark: string): ProcessGroup;
  /** No command runs, and none will. */
  close(): void;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Processes that wait to become commands: between two commands one is started ahead, so that
 * the next need not wait for a process, a session, a bash and a cgroup.
 *
 * @module
 */

import { utf8 } from "../../shared/protocol/bytes.ts";
import type { Groups } from "./process_group.ts";
import { NAME, WARDEN } from "./warden.ts";

/** The answer to the last command goes out first. */
const REFILL_DELAY_MS = 5;

export interface WardenProcess {
  readonly stdin: WritableStream<Uint8Array>;
  readonly stdout: ReadableStream<Uint8Array>;
  readonly stderr: ReadableStream<Uint8Array>;
  /** Rejects if it cannot be known. */
  readonly status: Promise<Deno.CommandStatus>;
  readonly pid: number;
}

/** @throws {Error} if no process can be started */
export type SpawnWarden = (cgroup: string) => WardenProcess;

export interface Warden {
  readonly child: WardenProcess;
  /** The one that it made and will join. */
  readonly cgroup: string;
}

export interface Wardens {
  /**
   * Gives the order to a process that leads its session.
   *
   * @param order see WARDEN; no word may have a NUL
   * @throws {Error} if no process can be started
   */
  start(order: readonly string[]): Warden;
  /** Ends the one that waits. */
  close(): void;
}

export function createWardens(
  groups: Pick<Groups, "newCgroup" | "dropCgroup">,
  spawn: SpawnWarden = spawnChild,
): Wardens {
  const spawnWarden = (): Warden => {
    const cgroup = groups.newCgroup();
    return { child: spawn(cgroup), cgroup };
  };
  let spare: Warden | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let closed = false;

  const refill = (): void => {
    timer = undefined;
    if (closed || spare !== null) return;
    try {
      const waiting = spawnWarden();
      spare = waiting;
      // Nobody should end it, but a command runs as root and may end what it likes.
      waiting.child.status.then(() => {
        if (spare !== waiting) return;
        spare = null;
        groups.dropCgroup(waiting.cgroup);
      }).catch(() => {}); // so has everything
    } catch {
      // no process to be had now: the next command starts its own
    }
  };
  refill();
  return {
    start(order) {
      const warden = spare ?? spawnWarden();
      spare = null;
      give(warden.child, order);
      warden.child.status.then(() => {
        if (!closed) timer ??= setTimeout(refill, REFILL_DELAY_MS);
      }).catch(() => {});
      return warden;
    },
    close() {
      closed = true;
      clearTimeout(timer);
      if (spare === null) return;
      const { stdin, stdout, stderr } = spare.child;
      for (const stream of [stdout, stderr]) stream.cancel().catch(() => {});
      stdin.close().catch(() => {});
      spare = null;
    },
  };
}

/** As a child of this process, with its restrictions. */
function spawnChild(cgroup: string): WardenProcess {
  return new Deno.Command("/usr/bin/setsid", {
    args: ["--", "/bin/bash", "-c", WARDEN, NAME, cgroup],
    cwd: "/",
    clearEnv: true,
    env: {}, // its variables come with the order
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** The end of the stream ends the order. One that has ended already tells so by its status. */
function give(warden: WardenProcess, order: readonly string[]): void {
  const writer = warden.stdin.getWriter();
  writer.write(utf8(order.map((word) => `${word}\0`).join(""))).catch(() => {});
  writer.close().catch(() => {});
}

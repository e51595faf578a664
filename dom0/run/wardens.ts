// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Processes that wait to become commands: some are started ahead between two commands, so that the
 * next one need not wait for a process, a session, a bash and a cgroup.
 *
 * @module
 */

import { utf8 } from "../../shared/protocol/bytes.ts";
import type { Groups } from "./process_group.ts";
import { NAME, WARDEN } from "./warden.ts";

/** Delay, so that the answer to the last command goes out first. */
const REFILL_DELAY_MS = 5;
/** While one gets its order, the other may still be on its way into its cgroup. */
const READY = 2;

export interface WardenProcess {
  readonly stdin: WritableStream<Uint8Array>;
  readonly stdout: ReadableStream<Uint8Array>;
  readonly stderr: ReadableStream<Uint8Array>;
  /** Rejects if it cannot be known. */
  readonly status: Promise<Deno.CommandStatus>;
  readonly pid: number;
}

/**
 * @param keeper the file that its keeper looks at; "": it has none
 * @throws {Error} if no process can be started
 */
export type SpawnWarden = (cgroup: string, keeper: string) => WardenProcess;

export interface Warden {
  readonly child: WardenProcess;
  /** The one that it made and will join. */
  readonly cgroup: string;
}

/** Its stdin is open, and is that of the command. */
export interface LiveWarden extends Warden {
  readonly stdin: WritableStreamDefaultWriter<Uint8Array>;
}

export interface Wardens {
  /**
   * Hands the order to a process that leads its own session.
   *
   * @param order see WARDEN; no word may have a NUL
   * @throws {Error} if no process can be started
   */
  start(order: readonly string[]): Warden;
  /** The same for an order without a file for stdin. @param keeper the file that its keeper looks at */
  startLive(order: readonly string[], keeper: string): LiveWarden;
  /** Ends those that wait. */
  close(): void;
}

export function createWardens(
  groups: Pick<Groups, "newCgroup" | "dropCgroup">,
  spawn: SpawnWarden = spawnChild,
): Wardens {
  const spawnWarden = (keeper = ""): Warden => {
    const cgroup = groups.newCgroup();
    return { child: spawn(cgroup, keeper), cgroup };
  };
  let ready: readonly Warden[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let closed = false;

  const startAhead = (): void => {
    const warden = spawnWarden();
    ready = [...ready, warden];
    // Nothing should end it, but commands run as root and may kill anything.
    warden.child.status.then(() => {
      if (!ready.includes(warden)) return;
      ready = ready.filter((other) => other !== warden);
      groups.dropCgroup(warden.cgroup);
    }).catch(() => {}); // so has everything
  };
  const refill = (): void => {
    timer = undefined;
    try {
      while (!closed && ready.length < READY) startAhead();
    } catch {
      // no process to be had now: the next command starts its own
    }
  };
  refill();
  return {
    start(order) {
      const [first, ...rest] = ready;
      const warden = first ?? spawnWarden();
      ready = rest;
      give(warden.child, order).close().catch(() => {});
      warden.child.status.then(() => {
        if (!closed) timer ??= setTimeout(refill, REFILL_DELAY_MS);
      }).catch(() => {});
      return warden;
    },
    startLive(order, keeper) {
      const warden = spawnWarden(keeper);
      return { ...warden, stdin: give(warden.child, order) };
    },
    close() {
      closed = true;
      clearTimeout(timer);
      for (const { child: { stdin, stdout, stderr } } of ready) {
        for (const stream of [stdout, stderr]) stream.cancel().catch(() => {});
        stdin.close().catch(() => {});
      }
      ready = [];
    },
  };
}

/** As a child of this process, with its restrictions. */
function spawnChild(cgroup: string, keeper: string): WardenProcess {
  return new Deno.Command("/usr/bin/setsid", {
    args: ["--", "/bin/bash", "-c", WARDEN, NAME, cgroup, "", keeper],
    cwd: "/",
    clearEnv: true,
    env: {}, // its variables come with the order
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** One that has ended already tells so by its status. */
function give(
  warden: WardenProcess,
  order: readonly string[],
): WritableStreamDefaultWriter<Uint8Array> {
  const writer = warden.stdin.getWriter();
  const words = [String(order.length), ...order];
  writer.write(utf8(words.map((word) => `${word}\0`).join(""))).catch(() => {});
  writer.closed.catch(() => {});
  return writer;
}

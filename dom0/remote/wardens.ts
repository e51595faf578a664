// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Processes that wait to become commands: between two commands one is started ahead, so that
 * the next need not wait for a process, a session and a bash.
 *
 * @module
 */

import { utf8 } from "../../shared/protocol/bytes.ts";
import { NAME, WARDEN } from "./warden.ts";

/** The answer to the last command goes out first. */
const REFILL_DELAY_MS = 5;

export interface Wardens {
  /**
   * Gives the order to a process that leads its session.
   *
   * @param order see WARDEN; no word may have a NUL
   * @throws {Error} if no process can be started
   */
  start(order: readonly string[]): Deno.ChildProcess;
  /** Ends the one that waits. */
  close(): void;
}

export function createWardens(): Wardens {
  let spare: Deno.ChildProcess | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let closed = false;

  const refill = (): void => {
    timer = undefined;
    if (closed || spare !== null) return;
    try {
      const waiting = spawnWarden();
      spare = waiting;
      // Nobody should end it, but a command runs as root and may end what it likes.
      waiting.status.then(() => {
        if (spare === waiting) spare = null;
      });
    } catch {
      // no process to be had now: the next command starts its own
    }
  };
  refill();
  return {
    start(order) {
      const warden = spare ?? spawnWarden();
      spare = null;
      give(warden, order);
      warden.status.then(() => {
        if (!closed) timer ??= setTimeout(refill, REFILL_DELAY_MS);
      });
      return warden;
    },
    close() {
      closed = true;
      clearTimeout(timer);
      if (spare === null) return;
      const { stdin, stdout, stderr } = spare;
      for (const stream of [stdout, stderr]) stream.cancel().catch(() => {});
      stdin.close().catch(() => {});
      spare = null;
    },
  };
}

function spawnWarden(): Deno.ChildProcess {
  return new Deno.Command("/usr/bin/setsid", {
    args: ["--", "/bin/bash", "-c", WARDEN, NAME],
    cwd: "/",
    clearEnv: true,
    env: {}, // its variables come with the order
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** The end of the stream ends the order. One that has ended already tells so by its status. */
function give(warden: Deno.ChildProcess, order: readonly string[]): void {
  const writer = warden.stdin.getWriter();
  writer.write(utf8(order.map((word) => `${word}\0`).join(""))).catch(() => {});
  writer.close().catch(() => {});
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Telling systemd that the daemon is ready, and alive. Deno reaches a datagram socket only with
 * a network permission, which these daemons do not have, so other programs do it:
 *
 *     READY=1, STATUS=...   systemd-notify(1), a process for each
 *     WATCHDOG=1            logger(1), one process that is there from the start: it sends a datagram
 *                           for each line that it reads, so a ping needs no process
 *
 * What cannot be sent now, because no process can be started or for another reason, is sent as soon as
 * possible; a failure never ends the daemon.
 *
 * @module
 */

import { errorText } from "../cli/program.ts";

const AGAIN_MS = 2_000;

export interface Notifier {
  readonly ready: () => Promise<void>;
  /** One line for "systemctl status". */
  readonly status: (text: string) => Promise<void>;
  readonly close: () => void;
}

/**
 * @param environment NOTIFY_SOCKET and WATCHDOG_USEC as systemd sets them; without the first
 *   nothing is said
 */
export function createNotifier(
  environment: {
    readonly notifySocket: string | undefined;
    readonly watchdogUsec: string | undefined;
    /** Asked before each ping; without it, a running daemon counts as alive. */
    readonly isAlive?: () => Promise<boolean>;
  },
): Notifier {
  const { notifySocket, watchdogUsec, isAlive = () => Promise.resolve(true) } = environment;
  if (notifySocket === undefined) {
    return { ready: () => Promise.resolve(), status: () => Promise.resolve(), close() {} };
  }
  const watchdogMs = Number(watchdogUsec ?? 0) / 1000;
  const pinger = watchdogMs > 0 ? createPinger(notifySocket) : null;
  const teller = createTeller(async (state) => {
    if (state === PING && pinger !== null && await pinger.ping()) return;
    await systemdNotify(notifySocket, state);
  });
  // A third of the limit, so that one may be lost. It runs on the event loop that does the work: a
  // daemon that is stuck sends nothing.
  const timer = pinger === null ? undefined : setInterval(async () => {
    if (await isAlive()) await teller.tell(PING);
  }, watchdogMs / 3);
  return {
    ready: () => teller.tell("READY=1"),
    status: (text) => teller.tell(`STATUS=${text.replaceAll("\n", " ")}`),
    close() {
      clearInterval(timer);
      teller.close();
      pinger?.close();
    },
  };
}

const PING = "WATCHDOG=1";

interface Teller {
  /** Never fails. Resolves when it has been said, or put off. */
  tell(state: string): Promise<void>;
  close(): void;
}

/** Retries until it has been said, or something newer of its kind has. */
function createTeller(say: (state: string) => Promise<void>): Teller {
  const timers = new Map<string, ReturnType<typeof setTimeout>>();
  let closed = false;
  const tell: Teller["tell"] = async (state) => {
    const kind = state.slice(0, state.indexOf("="));
    const isRetry = timers.has(kind);
    clearTimeout(timers.get(kind));
    timers.delete(kind);
    try {
      await say(state);
    } catch (error) {
      if (closed || timers.has(kind)) return;
      if (!isRetry) console.error(`systemd cannot be told ${kind} yet: ${errorText(error)}`);
      timers.set(kind, setTimeout(() => void tell(state), AGAIN_MS));
    }
  };
  return {
    tell,
    close() {
      closed = true;
      for (const timer of timers.values()) clearTimeout(timer);
    },
  };
}

/** @throws {Error} it could not be started, or not say it */
async function systemdNotify(notifySocket: string, state: string): Promise<void> {
  const { code } = await new Deno.Command("systemd-notify", {
    args: [`--pid=${Deno.pid}`, state],
    env: { NOTIFY_SOCKET: notifySocket },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).output();
  if (code !== 0) throw new Error(`systemd-notify ended with code ${code}`);
}

interface Pinger {
  /** @returns whether there was a process to send it */
  ping(): Promise<boolean>;
  close(): void;
}

/**
 * logger(1) puts a header in front of each line: "<13>", the date, the tag, ": ". The tag brings
 * lines of its own, so the datagram has a line WATCHDOG=1; systemd reads a datagram line by line
 * and ignores what it does not know (sd_notify(3)).
 */
function createPinger(notifySocket: string): Pinger {
  let writer: WritableStreamDefaultWriter<Uint8Array> | null = null;
  const start = (): WritableStreamDefaultWriter<Uint8Array> | null => {
    try {
      const child = new Deno.Command("logger", {
        args: ["--socket", notifySocket, "--socket-errors=on", "--tag", `\n${PING}\n`],
        stdin: "piped",
        stdout: "null",
        stderr: "null",
      }).spawn();
      const started = child.stdin.getWriter();
      child.status.then(() => {
        if (writer === started) writer = null;
      });
      return started;
    } catch {
      return null; // no process can be started now, or there is no logger
    }
  };
  writer = start();
  return {
    async ping() {
      writer ??= start();
      const used = writer;
      if (used === null) return false;
      try {
        await used.write(new TextEncoder().encode("alive\n"));
        return true;
      } catch {
        if (writer === used) writer = null;
        return false;
      }
    },
    close: () => void writer?.close().catch(() => {}),
  };
}

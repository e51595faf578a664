// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Telling systemd that the daemon is ready, and alive. Deno reaches a datagram socket only with
 * a network permission, which this daemon does not have, so systemd-notify(1) does it.
 *
 * @module
 */

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
  },
): Notifier {
  const { notifySocket, watchdogUsec } = environment;
  if (notifySocket === undefined) {
    return { ready: () => Promise.resolve(), status: () => Promise.resolve(), close() {} };
  }
  const say = async (state: string): Promise<void> => {
    const { code } = await new Deno.Command("systemd-notify", {
      args: [`--pid=${Deno.pid}`, state],
      env: { NOTIFY_SOCKET: notifySocket },
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).output();
    if (code !== 0) console.error(`systemd-notify ended with code ${code}`);
  };
  // Half the limit, as sd_watchdog_enabled(3) advises. On the event loop that does the work: a
  // daemon that is stuck is silent.
  const everyMs = Number(watchdogUsec ?? 0) / 1000 / 2;
  const timer = everyMs > 0 ? setInterval(() => void say("WATCHDOG=1"), everyMs) : undefined;
  return {
    ready: () => say("READY=1"),
    status: (text) => say(`STATUS=${text.replaceAll("\n", " ")}`),
    close: () => clearInterval(timer),
  };
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * One openclaw-tunnel, for as long as this program runs. The tunnel stays a program of its own:
 * the same as in dom0, and the one that may start qrexec calls; this one may start only it.
 *
 * @module
 */

import { UserError } from "../../shared/cli/program.ts";
import { within } from "../../shared/io/timing.ts";
import type { PortRoute } from "../../shared/io/tcp_port.ts";
import type { Settings } from "./cli.ts";

const TUNNEL = "openclaw-tunnel";
/** What the tunnel needs to let its connections go. */
const STOP_LIMIT_MS = 5_000;

export interface Tunnel {
  /** Its exit code. */
  readonly ended: Promise<number>;
  stop(): Promise<void>;
}

/** Without a configured VM the policy in dom0 chooses: target=VM in its line for @default. */
export function tunnelArguments({ vm, proxy, gateway }: Settings): readonly string[] {
  const routes = [proxy, gateway].filter((route) => route !== null);
  return [`--vm=${vm ?? "@default"}`, ...routes.map(routeWord)];
}

function routeWord({ address, port, remotePort }: PortRoute): string {
  const host = address === "::1" ? "[::1]" : address;
  return `--listen=${host}:${port}:${remotePort}`;
}

/** What it prints goes where this program prints. @throws {UserError} if it is not installed */
export function startTunnel(settings: Settings): Tunnel {
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(TUNNEL, {
      args: [...tunnelArguments(settings)],
      stdin: "null",
    }).spawn();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotCapable)) {
      throw error;
    }
    throw new UserError(`${TUNNEL} is not installed`, [
      'install in this VM or in its template: "make install-vm"',
    ]);
  }
  const ended = child.status.then(({ code }) => code);
  const signal = (name: "SIGTERM" | "SIGKILL"): void => {
    try {
      child.kill(name);
    } catch {
      // it has ended
    }
  };
  return {
    ended,
    async stop() {
      signal("SIGTERM");
      if (!await within(STOP_LIMIT_MS, ended)) signal("SIGKILL");
      await ended;
    },
  };
}

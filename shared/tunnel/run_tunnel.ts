// SPDX-License-Identifier: GPL-2.0-or-later
/** The tunnel: listens on every port, until it is stopped. @module */

import { delay } from "@std/async/delay";
import { basename } from "@std/path/posix/basename";
import { dirname } from "@std/path/posix/dirname";
import { dateMs } from "../io/clock.ts";
import { errorText, UserError } from "../cli/program.ts";
import type { Notifier } from "../io/sd_notify.ts";
import type { PortRoute } from "../io/tcp_port.ts";
import { aborted } from "../io/timing.ts";
import { VERSION } from "../io/version.ts";
import {
  type CallBudget,
  callLimit,
  createCallBudget,
  uncountedBudget,
} from "./carry/call_budget.ts";
import { realClock } from "./clock.ts";
import type { Place, Target } from "./place.ts";
import { createPortTunnel, type PortTunnel } from "./carry/port_tunnel.ts";
import { createQuietLog } from "./quiet_log.ts";
import { LOCK_FILE, openTunnelFolder, type TunnelFolder } from "./state_file.ts";

/** Pause after a lasting error of accept(), such as no descriptors left. */
const ACCEPT_PAUSE_MS = 100;

export interface TunnelOptions {
  readonly vm: Target;
  readonly routes: readonly PortRoute[];
  readonly place: Place;
  readonly only: "direct" | null;
  /** Of all ports together. */
  readonly maxConnections: number;
  /** See callLimit(). */
  readonly grantPages: number;
  /** Where this process has its state file, beside the folders of other tunnels. */
  readonly stateFolder: string;
  readonly say: (line: string) => void;
  readonly notifier: Notifier;
}

/** @throws {UserError} a port cannot be listened on */
export async function runTunnel(options: TunnelOptions, stop: AbortSignal): Promise<void> {
  const { routes, say } = options;
  const listeners = listenAll(routes);
  const startedAt = new Date(dateMs()).toISOString();
  let places = options.maxConnections;
  let changed = (): void => {};
  const folder = await openTunnelFolder(options.stateFolder);
  if (folder === null) {
    say(`"status" does not see this tunnel: ${options.stateFolder} is not ours\n`);
  }
  const calls = callBudget(folder, options.grantPages);
  const tunnels = routes.map((route): PortTunnel => {
    const log = createQuietLog(realClock, (line) => say(`${nameOf(route)}: ${line}\n`));
    return createPortTunnel({
      route,
      log,
      calls,
      vm: options.vm,
      place: options.place,
      clock: realClock,
      only: options.only,
      takePlace: () => places > 0 && (places--, true),
      givePlace: () => void places++,
      onChange: () => changed(),
      wallClock: () => new Date(dateMs()),
    });
  });
  const state = await folder?.keep(() => ({
    pid: Deno.pid,
    startedAt,
    version: VERSION,
    mostDirect: calls.limit,
    ports: tunnels.map((tunnel) => tunnel.state()),
  }));
  changed = () => state?.changed();
  for (const route of routes) {
    say(`${nameOf(route)}: leads to port ${route.remotePort} of ${options.vm}\n`);
  }
  const accepting = listeners.map((listener, i) => {
    const tunnel = tunnels[i];
    return tunnel === undefined ? undefined : acceptAll(listener, tunnel, stop, say);
  });
  for (const tunnel of tunnels) tunnel.warmUp();
  await options.notifier.ready();
  await aborted(stop);
  for (const listener of listeners) listener.close();
  for (const tunnel of tunnels) tunnel.stop();
  await Promise.all(accepting);
  options.notifier.close();
  await calls.close();
  await state?.close();
  await folder?.close();
}

/** The other tunnels of this machine have their folders beside this one's. */
function callBudget(folder: TunnelFolder | null, grantPages: number): CallBudget {
  if (folder === null) return uncountedBudget();
  return createCallBudget({
    runFolder: dirname(folder.path),
    ownFolder: basename(folder.path),
    lockFile: LOCK_FILE,
    limit: callLimit(grantPages),
    clock: realClock,
  });
}

function listenAll(routes: readonly PortRoute[]): Deno.TcpListener[] {
  const listeners: Deno.TcpListener[] = [];
  for (const route of routes) {
    try {
      listeners.push(Deno.listen({ hostname: route.address, port: route.port }));
    } catch (error) {
      for (const listener of listeners) listener.close();
      if (error instanceof Deno.errors.AddrInUse) {
        throw new UserError(`${nameOf(route)} is in use by another program`, [
          `see who: ss -ltnp sport = :${route.port}; or listen elsewhere: PORT:${route.remotePort}`,
        ]);
      }
      if (error instanceof Deno.errors.PermissionDenied) {
        throw new UserError(`${nameOf(route)} may not be listened on by this user`);
      }
      throw error;
    }
  }
  return listeners;
}

async function acceptAll(
  listener: Deno.TcpListener,
  tunnel: PortTunnel,
  stop: AbortSignal,
  say: (line: string) => void,
): Promise<void> {
  while (!stop.aborted) {
    try {
      const conn = await listener.accept();
      conn.setNoDelay();
      tunnel.serve(conn);
    } catch (error) {
      if (stop.aborted) return;
      say(`accept: ${errorText(error)}\n`);
      await delay(ACCEPT_PAUSE_MS);
    }
  }
}

export function nameOf({ address, port }: { readonly address: string; readonly port: number }) {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

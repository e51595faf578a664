// SPDX-License-Identifier: GPL-2.0-or-later
/** Brings the running daemon to where nothing runs, and holds it there. @module */

import { delay } from "@std/async/delay";
import { UserError } from "../../shared/cli/program.ts";
import { realClock } from "../../shared/io/clock.ts";
import { readDaemonState } from "../daemon/state_file.ts";
import type { Acting } from "./acting.ts";
import { type Lease, takeLease } from "./lease.ts";
import { giveOrder } from "./order.ts";

/**
 * Nothing new is begun for so long; then all VMs get a turn again. A request that waits stays fresh:
 * it may be five minutes old.
 */
const TURN_MS = 20_000;
const LOOK_AGAIN_MS = 250;

/** The daemon does nothing new until this is disposed of. @throws {UserError} no daemon runs */
export function holdDaemon({ paths }: Pick<Acting, "paths">): Lease {
  try {
    return takeLease(paths.ordersFolder);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new UserError("the daemon does not run", ['see "qvm-remote-dom0 status"']);
  }
}

/** What still runs, a line for each. From now on nothing new does. */
export async function whatRuns(acting: Acting, lease: Lease): Promise<readonly string[]> {
  const by = { user: acting.invokedBy, via: "terminal" };
  const { ok, text } = await giveOrder(acting.paths, { order: "drain", by, lease: lease.name });
  if (!ok) throw new UserError(`the daemon goes on as it is: ${text}`);
  return text === "" ? [] : text.split("\n");
}

/**
 * Waits until nothing runs. Dispose of what it gives when the daemon is stopped.
 *
 * @param say what it waits for, when that changes
 */
export async function drainDaemon(
  acting: Acting,
  say: (running: readonly string[]) => void,
): Promise<Lease> {
  for (;;) {
    const lease = holdDaemon(acting);
    if (await isIdleInTurn(acting, lease, say)) return lease;
    lease[Symbol.dispose]();
    await untilQuiet(acting);
  }
}

async function isIdleInTurn(
  acting: Acting,
  lease: Lease,
  say: (running: readonly string[]) => void,
): Promise<boolean> {
  for (const endMs = realClock.spanMs() + TURN_MS;;) {
    const running = await whatRuns(acting, lease);
    if (running.length === 0) return true;
    say(running);
    if (realClock.spanMs() > endMs) return false;
    await delay(LOOK_AGAIN_MS);
  }
}

/** A moment in which nothing runs, or a turn for everyone. */
async function untilQuiet({ paths }: Acting): Promise<void> {
  for (const endMs = realClock.spanMs() + TURN_MS; realClock.spanMs() < endMs;) {
    await delay(LOOK_AGAIN_MS);
    const state = await readDaemonState(paths);
    if (state?.vms.every(({ open }) => open.length === 0) ?? true) return;
  }
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * One port of this machine, led to one port of the VM: takes each connection, and chooses what
 * carries it. Persistent mode wherever it can be had; a connection that comes while it cannot has
 * a call of its own.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { TunnelFailure } from "../failure.ts";
import { createPersistentLink, type PersistentLink } from "../mux/persistent_link.ts";
import type { Place } from "../place.ts";
import type { CallBudget } from "./call_budget.ts";
import { directEnd } from "./direct_call.ts";
import { close, join, type LocalEnd } from "./join.ts";
import {
  createPortAccount,
  type PortAccount,
  type PortAccountOptions,
  type PortState,
} from "./port_account.ts";
import { createRefusals, type Refusals } from "./refusals.ts";
import type { RemoteEnd } from "./remote_end.ts";

export interface PortTunnelOptions extends PortAccountOptions {
  readonly place: Place;
  readonly clock: Clock;
  /** A place among all connections of the program; false: there is none. */
  readonly takePlace: () => boolean;
  readonly givePlace: () => void;
  /** For calls of their own. */
  readonly calls: CallBudget;
}

export interface PortTunnel {
  state(): PortState;
  /** Carries one connection to its end. Never throws. */
  serve(local: LocalEnd): Promise<void>;
  /** Tries for the shared stream now, so that "status" tells the mode. */
  warmUp(): Promise<void>;
  stop(): void;
}

export function createPortTunnel(options: PortTunnelOptions): PortTunnel {
  const { vm, place, onChange } = options;
  const account = createPortAccount(options);
  const refusals = createRefusals(options.clock);
  const link = linkOf(options, account, refusals);
  const running = new Set<() => void>();
  const { counts } = account;

  const carry = async (local: LocalEnd): Promise<void> => {
    const remote = await dial({ options, account, refusals, link });
    const breakOff = (): void => {
      remote.abort();
      close(local);
    };
    running.add(breakOff);
    try {
      await join(local, remote, account.traffic);
    } finally {
      running.delete(breakOff);
    }
  };
  return {
    state: account.state,
    async serve(local) {
      counts.total++;
      if (!options.takePlace()) {
        counts.failed++;
        close(local);
        return account.note(new TunnelFailure("too-many"));
      }
      counts.open++;
      onChange();
      try {
        await carry(local);
      } catch (error) {
        if (!(error instanceof TunnelFailure)) throw error;
        counts.failed++;
        refusals.note(error);
        account.note(error);
      } finally {
        close(local);
        counts.open--;
        options.givePlace();
        onChange();
      }
    },
    async warmUp() {
      if (options.only === "direct" || place.isHalted(vm)) return;
      await link.tryNow();
    },
    stop() {
      link.stop();
      for (const breakOff of [...running]) breakOff();
    },
  };
}

/** The shared stream to the port, and what its state says of the mode. */
function linkOf(
  { vm, route, place, clock }: PortTunnelOptions,
  account: PortAccount,
  refusals: Refusals,
): PersistentLink {
  return createPersistentLink({
    clock,
    call: () => place.call(vm, "openclaw.Mux", route.remotePort),
    isHalted: () => place.isHalted(vm),
    wasHalted: () => place.wasHalted(vm),
    incarnation: () => place.incarnation(vm),
    onChange(failure, asksSoon) {
      if (failure === null) {
        refusals.forget();
        return account.setMode("persistent", null);
      }
      if (account.mode() === "persistent") account.note(failure);
      // A VM that ended takes its stream along; that says nothing of the mode to come.
      account.setMode(asksSoon ? "unknown" : "direct", failure);
    },
  });
}

/** What can carry connections to the VM. */
interface Ways {
  readonly options: PortTunnelOptions;
  readonly account: PortAccount;
  readonly refusals: Refusals;
  readonly link: PersistentLink;
}

async function dial(ways: Ways): Promise<RemoteEnd> {
  const { link, options: { vm, place, only } } = ways;
  // A live session says more about the VM than its socket does, and costs less to ask.
  if (link.state() !== "ready" && place.isHalted(vm)) throw new TunnelFailure("vm-halted");
  const stream = only === "direct" ? null : await link.open();
  if (stream !== null) return stream;
  if (place.isHalted(vm)) throw new TunnelFailure("vm-halted");
  return await dialDirect(ways);
}

async function dialDirect({ options, account, refusals }: Ways): Promise<RemoteEnd> {
  const { vm, route, place, calls, onChange } = options;
  refusals.check();
  if (!await calls.take()) {
    const most = ` with a call of their own: ${calls.limit} are the most, of all tunnels here`;
    throw new TunnelFailure("too-many", most);
  }
  account.counts.direct++;
  const over = (): void => {
    account.counts.direct--;
    calls.give();
    onChange();
  };
  try {
    const call = place.call(vm, "qubes.ConnectTCP", route.remotePort);
    call.ended.then(over);
    return directEnd(call, () => place.wasHalted(vm), refusals.forget);
  } catch (error) {
    over();
    throw error;
  }
}

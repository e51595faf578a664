// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * One port of this machine, led to one port of the VM: takes each connection, chooses what
 * carries it, and counts. Persistent mode wherever it can be had; a connection that comes while
 * it cannot has a call of its own.
 *
 * @module
 */

import type { PortRoute } from "../../io/tcp_port.ts";
import type { Clock } from "../clock.ts";
import type { CallBudget } from "./call_budget.ts";
import { directEnd } from "./direct_call.ts";
import { type FailureClass, TunnelFailure } from "../failure.ts";
import { close, join, type LocalEnd, type Traffic } from "./join.ts";
import { createPersistentLink } from "../mux/persistent_link.ts";
import type { Place, Target } from "../place.ts";
import { createRefusals } from "./refusals.ts";
import type { RemoteEnd } from "./remote_end.ts";

export type Mode = "persistent" | "direct" | "unknown";

export interface PortState {
  readonly address: string;
  readonly port: number;
  readonly remotePort: number;
  readonly vm: string;
  /** What carried the last connection, or will carry the next. */
  readonly mode: Mode;
  /** Why not persistent; null if it is, or nobody has tried. */
  readonly modeReason: FailureClass | null;
  readonly open: number;
  /** Of those that are open, how many have a call of their own. */
  readonly direct: number;
  readonly total: number;
  readonly failed: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
  readonly lastFailure:
    | { readonly class: FailureClass; readonly text: string; readonly at: string }
    | null;
}

export interface PortTunnelOptions {
  readonly vm: Target;
  readonly route: PortRoute;
  readonly place: Place;
  readonly clock: Clock;
  /** "direct": never asks for the shared stream. */
  readonly only: "direct" | null;
  /** A place among all connections of the program; false: there is none. */
  readonly takePlace: () => boolean;
  readonly givePlace: () => void;
  /** For calls of their own. */
  readonly calls: CallBudget;
  readonly log: (failureClass: FailureClass | "mode", text: string) => void;
  readonly onChange: () => void;
  readonly wallClock: () => Date;
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
  const { vm, route, place, clock, calls, log, onChange } = options;
  const refusals = createRefusals(clock);
  const running = new Set<() => void>();
  let [open, total, failed, direct] = [0, 0, 0, 0];
  let [bytesUp, bytesDown] = [0, 0];
  let mode: Mode = options.only ?? "unknown";
  let modeReason: FailureClass | null = null;
  let lastFailure: PortState["lastFailure"] = null;

  const note = (failure: TunnelFailure): void => {
    const { failureClass, message } = failure;
    lastFailure = { class: failureClass, text: message, at: options.wallClock().toISOString() };
    log(failureClass, message);
    onChange();
  };
  const setMode = (next: Mode, reason: TunnelFailure | null): void => {
    const changed = mode !== next || modeReason !== (reason?.failureClass ?? null);
    mode = next;
    modeReason = reason?.failureClass ?? null;
    if (changed) log("mode", `${next} mode${reason === null ? "" : `: ${reason.message}`}`);
    onChange();
  };
  const traffic: Traffic = {
    up(bytes) {
      bytesUp += bytes;
      onChange();
    },
    down(bytes) {
      bytesDown += bytes;
      onChange();
    },
  };
  const link = createPersistentLink({
    clock,
    call: () => place.call(vm, "openclaw.Mux", route.remotePort),
    isHalted: () => place.isHalted(vm),
    wasHalted: () => place.wasHalted(vm),
    incarnation: () => place.incarnation(vm),
    onChange(failure, asksSoon) {
      if (failure === null) {
        refusals.forget();
        return setMode("persistent", null);
      }
      if (mode === "persistent") note(failure);
      // A VM that ended takes its stream along; that says nothing of the mode to come.
      setMode(asksSoon ? "unknown" : "direct", failure);
    },
  });

  const dial = async (): Promise<RemoteEnd> => {
    // A session that lives says more of the VM than its socket, and is asked for less.
    if (link.state() !== "ready" && place.isHalted(vm)) throw new TunnelFailure("vm-halted");
    const stream = options.only === "direct" ? null : await link.open();
    if (stream !== null) return stream;
    if (place.isHalted(vm)) throw new TunnelFailure("vm-halted");
    return await dialDirect();
  };
  const dialDirect = async (): Promise<RemoteEnd> => {
    refusals.check();
    if (!await calls.take()) {
      const most = ` with a call of their own: ${calls.limit} are the most, of all tunnels here`;
      throw new TunnelFailure("too-many", most);
    }
    direct++;
    const over = (): void => {
      direct--;
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
  };

  const carry = async (local: LocalEnd): Promise<void> => {
    const remote = await dial();
    const breakOff = (): void => {
      remote.abort();
      close(local);
    };
    running.add(breakOff);
    try {
      await join(local, remote, traffic);
    } finally {
      running.delete(breakOff);
    }
  };

  return {
    state: () => ({
      ...{ address: route.address, port: route.port, remotePort: route.remotePort, vm },
      ...{ mode, modeReason, open, direct, total, failed, bytesUp, bytesDown, lastFailure },
    }),
    async serve(local) {
      total++;
      if (!options.takePlace()) {
        failed++;
        close(local);
        return note(new TunnelFailure("too-many"));
      }
      open++;
      onChange();
      try {
        await carry(local);
      } catch (error) {
        if (!(error instanceof TunnelFailure)) throw error;
        failed++;
        refusals.note(error);
        note(error);
      } finally {
        close(local);
        open--;
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

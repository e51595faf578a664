// SPDX-License-Identifier: GPL-2.0-or-later
/** The account of a tunnelled port: its mode, what it carried, and what failed last. @module */

import type { PortRoute } from "../../io/tcp_port.ts";
import type { FailureClass, TunnelFailure } from "../failure.ts";
import type { Target } from "../place.ts";
import type { Traffic } from "./join.ts";

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

export interface PortAccountOptions {
  readonly vm: Target;
  readonly route: PortRoute;
  /** "direct": never asks for the shared stream. */
  readonly only: "direct" | null;
  readonly log: (failureClass: FailureClass | "mode", text: string) => void;
  readonly onChange: () => void;
  readonly wallClock: () => Date;
}

/** Of connections: that are open, that have a call of their own, that came, that failed. */
interface Counts {
  open: number;
  direct: number;
  total: number;
  failed: number;
}

export interface PortAccount {
  /** Call onChange after changing these. */
  readonly counts: Counts;
  readonly traffic: Traffic;
  mode(): Mode;
  /** @param reason why it is not persistent */
  setMode(mode: Mode, reason: TunnelFailure | null): void;
  /** It is the last failure, and in the log. */
  note(failure: TunnelFailure): void;
  state(): PortState;
}

export function createPortAccount(options: PortAccountOptions): PortAccount {
  const { vm, route, log, onChange } = options;
  const counts: Counts = { open: 0, direct: 0, total: 0, failed: 0 };
  let [bytesUp, bytesDown] = [0, 0];
  let mode: Mode = options.only ?? "unknown";
  let modeReason: FailureClass | null = null;
  let lastFailure: PortState["lastFailure"] = null;
  return {
    counts,
    traffic: {
      up(bytes) {
        bytesUp += bytes;
        onChange();
      },
      down(bytes) {
        bytesDown += bytes;
        onChange();
      },
    },
    mode: () => mode,
    setMode(next, reason) {
      const changed = mode !== next || modeReason !== (reason?.failureClass ?? null);
      mode = next;
      modeReason = reason?.failureClass ?? null;
      if (changed) log("mode", `${next} mode${reason === null ? "" : `: ${reason.message}`}`);
      onChange();
    },
    note({ failureClass, message }) {
      lastFailure = { class: failureClass, text: message, at: options.wallClock().toISOString() };
      log(failureClass, message);
      onChange();
    },
    state() {
      const { address, port, remotePort } = route;
      const where = { address, port, remotePort, vm };
      return { ...where, mode, modeReason, ...counts, bytesUp, bytesDown, lastFailure };
    },
  };
}

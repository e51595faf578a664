// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Where an order to end a taken request goes: what there is to end changes on its way, and the order
 * may come before there is anything.
 *
 * @module
 */

import type { StopReason } from "../run/runner.ts";

export interface StopSwitch {
  /** The first reason counts. */
  readonly stop: (reason: StopReason) => void;
  /** From now on a stop goes there; one that came before goes there at once. */
  leadTo(end: (reason: StopReason) => void): void;
}

export function createStopSwitch(): StopSwitch {
  let reason: StopReason | null = null;
  let end: (reason: StopReason) => void = () => {};
  return {
    stop(why) {
      reason ??= why;
      end(reason);
    },
    leadTo(next) {
      end = next;
      if (reason !== null) end(reason);
    },
  };
}

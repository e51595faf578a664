// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A call that the policy in dom0 refused is not repeated for every connection: dom0 may show each
 * refusal on its screen, and a refused program tries again and again. Pure.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { type FailureClass, TunnelFailure } from "../failure.ts";

const FIRST_HOLD_MS = 30_000;
const LONGEST_HOLD_MS = 3_600_000;
/** The result of a call that the policy had allowed. */
const PASSED: ReadonlySet<FailureClass> = new Set([
  "call-failed",
  "no-answer",
  "port-refused",
  "service-missing",
  "vm-died",
]);

export interface Refusals {
  /** @throws {TunnelFailure} it was refused a short while ago, and would be again */
  check(): void;
  /** How a call failed. */
  note(failure: TunnelFailure): void;
  /** A call was let through. */
  forget(): void;
}

export function createRefusals(clock: Clock): Refusals {
  let isRefused = false;
  let holdMs = FIRST_HOLD_MS;
  let untilMs = 0;
  const hold = (): void => {
    untilMs = clock.nowMs() + holdMs;
    holdMs = Math.min(2 * holdMs, LONGEST_HOLD_MS);
  };
  const forget = (): void => {
    isRefused = false;
    holdMs = FIRST_HOLD_MS;
  };
  return {
    check() {
      if (!isRefused) return;
      const leftMs = untilMs - clock.nowMs();
      if (leftMs <= 0) return hold(); // this one asks for all that come meanwhile
      const seconds = Math.ceil(leftMs / 1000);
      const when = `not asked again for ${seconds} s, unless the tunnel is started anew`;
      throw new TunnelFailure("policy", `; ${when}`);
    },
    note({ failureClass }) {
      if (PASSED.has(failureClass)) return forget();
      if (failureClass !== "policy" || isRefused) return;
      isRefused = true;
      hold();
    },
    forget,
  };
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** For how long connections do without the shared stream after it failed. Pure. @module */

import type { FailureClass } from "../failure.ts";

/** A stream that lasted this long was a good one. */
const GOOD_SESSION_MS = 10_000;
const FIRST_MS = 250;
const LONGEST_MS = 600_000;
/** A VM that has just been allowed in, or whose agent VM was just started, should notice soon; but each
 * refused try may be a notification on dom0's screen. */
const LONGEST_AFTER_POLICY_MS = 300_000;
/** Nobody installs a service, changes a policy or repairs a VM in less time. */
const AFTER_REFUSAL_MS = 30_000;

export interface LinkBackoff {
  /** @param lastedMs how long the session was ready; null if it never was */
  nextWaitMs(failureClass: FailureClass, lastedMs: number | null): number;
}

export function createLinkBackoff(): LinkBackoff {
  let waitMs = FIRST_MS;
  return {
    nextWaitMs(failureClass, lastedMs) {
      if (failureClass === "vm-halted") return 0; // looking for its socket costs nothing
      const isGood = lastedMs !== null && lastedMs >= GOOD_SESSION_MS;
      if (isGood && failureClass !== "protocol") {
        waitMs = FIRST_MS;
        return 0; // the VM was restarted, or its service: try at the next connection
      }
      const least = lastedMs === null || failureClass === "protocol" ? AFTER_REFUSAL_MS : FIRST_MS;
      const now = Math.max(waitMs, least);
      waitMs = Math.min(
        2 * now,
        failureClass === "policy" ? LONGEST_AFTER_POLICY_MS : LONGEST_MS,
      );
      return now;
    },
  };
}

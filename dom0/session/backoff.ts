// SPDX-License-Identifier: GPL-2.0-or-later
/** How long to wait before a VM is called again. Pure. @module */

/** How a session with a VM ended. */
export type SessionEnd =
  | { readonly kind: "no-connection" }
  | { readonly kind: "lost"; readonly lastedMs: number }
  | { readonly kind: "violation" };

const FIRST_MS = 250;
/** A VM that starts is seen by its qrexec socket; this is for what the socket does not tell. */
const LONGEST_MS = 60_000;
/** A peer that broke the protocol is left alone for this long. */
const AFTER_VIOLATION_MS = 60_000;
/** A session that lasted this long was a good one. */
const GOOD_SESSION_MS = 10_000;

export interface Backoff {
  nextWaitMs(end: SessionEnd): number;
}

export function createBackoff(): Backoff {
  let waitMs = FIRST_MS;
  return {
    nextWaitMs(end) {
      switch (end.kind) {
        case "violation":
          return AFTER_VIOLATION_MS;
        case "lost":
          if (end.lastedMs >= GOOD_SESSION_MS) waitMs = FIRST_MS;
          break;
        case "no-connection":
          break;
        default:
          return end satisfies never;
      }
      const now = waitMs;
      waitMs = Math.min(2 * waitMs, LONGEST_MS);
      return now;
    },
  };
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** The limit that ended a command, as it was in force for it. @module */

import type { OutcomeKind } from "../../shared/protocol/outcome.ts";
import type { Limits } from "./runner.ts";

/** ms, bytes, processes or bytes, by the kind; null where no limit ended it. */
export function limitInForce(kind: OutcomeKind, limits: Limits): number | null {
  switch (kind) {
    case "timeout":
      return limits.timeoutMs;
    case "output-limit":
      return limits.maxOutputBytes;
    case "process-limit":
      return limits.maxProcesses;
    case "memory-limit":
      return limits.maxMemoryBytes;
    default:
      return null;
  }
}

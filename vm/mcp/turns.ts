// SPDX-License-Identifier: GPL-2.0-or-later
/** A few calls at once, the others in turn: a client may send thousands without waiting. @module */

import type { Said } from "./said.ts";

/** More than a client waits for jobs at once, for a wait keeps its place. */
const MAX_AT_ONCE = 32;

export interface Turns {
  /** Runs it when it is its turn; not at all if the client has cancelled it by then. */
  take(signal: AbortSignal, run: () => Promise<Said>): Promise<Said>;
}

export function createTurns(): Turns {
  let busy = 0;
  const waiting: (() => void)[] = [];
  return {
    async take(signal, run) {
      if (busy >= MAX_AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
      else busy++;
      try {
        if (signal.aborted) return { status: "cancelled", reason: "nothing was sent" };
        return await run();
      } finally {
        const next = waiting.shift();
        if (next === undefined) busy--;
        else next(); // it takes over this place
      }
    },
  };
}

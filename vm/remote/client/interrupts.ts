// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Ctrl-C, SIGTERM, a closed terminal: the first one asks the command to end, the second one leaves.
 * (Deno 2.9 catches the hang-up as soon as it catches any signal, and ends: nohup would have no
 * effect if this left it alone.)
 *
 * @module
 */

import { createBell } from "./bell.ts";

export interface Interrupts {
  count(): number;
  /** Adds a listener for each further one. */
  listen(onInterrupt: () => void): void;
}

/** From here on these signals do not end the program. */
export function catchInterrupts(): Interrupts {
  const listeners: (() => void)[] = [];
  let count = 0;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(signal, () => {
      count++;
      for (const listener of listeners) listener();
    });
  }
  return { count: () => count, listen: (onInterrupt) => void listeners.push(onInterrupt) };
}

/** Resolves when there were that many, at once if there were already. */
export async function interrupted(interrupts: Interrupts, count: number): Promise<void> {
  const bell = createBell();
  interrupts.listen(bell.ring);
  while (interrupts.count() < count) await bell.wait(3600_000);
}

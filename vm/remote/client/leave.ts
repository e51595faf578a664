// SPDX-License-Identifier: GPL-2.0-or-later
/** Leaving a wait while the request goes on, as Ctrl-C does to `qvm-remote wait`. @module */

import type { Interrupts } from "./interrupts.ts";

export interface Leave extends Interrupts {
  now(): void;
}

export function createLeave(): Leave {
  const listeners: (() => void)[] = [];
  let count = 0;
  return {
    count: () => count,
    listen: (onLeave) => void listeners.push(onLeave),
    now() {
      count++;
      for (const listener of listeners) listener();
    },
  };
}

/** Whichever comes. */
export function either(one: Interrupts, other: Interrupts): Interrupts {
  return {
    count: () => one.count() + other.count(),
    listen(onInterrupt) {
      one.listen(onInterrupt);
      other.listen(onInterrupt);
    },
  };
}

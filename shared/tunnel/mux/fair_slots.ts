// SPDX-License-Identifier: GPL-2.0-or-later
/** Places in the queue of a shared pipe, given in the order in which they are asked for. @module */

export interface FairSlots {
  /** A place at once, if one is free and nobody waits: a needless wait costs a turn of the event loop. */
  tryTake(): boolean;
  /** Resolves with the place; it is asked for in line with all others. */
  take(): Promise<void>;
  give(): void;
  /** Lets everyone who waits go on: there is no pipe any more. */
  open(): void;
}

export function createFairSlots(count: number): FairSlots {
  let free = count;
  let isOpen = false;
  const waiting: (() => void)[] = [];
  const tryTake = (): boolean => {
    if (!isOpen && (free <= 0 || waiting.length > 0)) return false;
    free--;
    return true;
  };
  return {
    tryTake,
    take() {
      if (tryTake()) return Promise.resolve();
      return new Promise((resolve) => waiting.push(resolve));
    },
    give() {
      const next = waiting.shift();
      if (next === undefined) free++;
      else next();
    },
    open() {
      isOpen = true;
      for (const next of waiting.splice(0)) next();
    },
  };
}

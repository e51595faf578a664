// SPDX-License-Identifier: GPL-2.0-or-later
/** Seeded random numbers: the same seed gives the same inputs on every machine. @module */

export interface Prng {
  /** A whole number from 0 to limit - 1. */
  below(limit: number): number;
  /** True once in so many times, on average. */
  oneIn(times: number): boolean;
  pick<T>(from: readonly T[]): T;
  bytes(count: number): Uint8Array<ArrayBuffer>;
}

/** sfc32 by Chris Doty-Humphrey (PractRand): 128 bits of state, passes its tests. */
export function createPrng(seed: number): Prng {
  let [a, b, c, counter] = [0x9e3779b9, 0x243f6a88, seed >>> 0, 1];
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum | 0;
    return sum >>> 0;
  };
  for (let i = 0; i < 12; i++) next(); // until the seed has reached every bit
  const below = (limit: number): number => Math.floor(next() / 0x1_0000_0000 * limit);
  return {
    below,
    oneIn: (times) => below(times) === 0,
    pick(from) {
      const picked = from[below(from.length)];
      if (picked === undefined) throw new Error("bug: pick from nothing");
      return picked;
    },
    bytes(count) {
      const bytes = new Uint8Array(count);
      for (let i = 0; i < count; i++) bytes[i] = next();
      return bytes;
    },
  };
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** Rounds in which every way has its turn, in another order each time, and what they say. @module */

import { summary } from "./measure.ts";

export interface Spread {
  /** The median of the rounds' medians. */
  readonly p50: number;
  /** Of the rounds' medians the middle half. */
  readonly from: number;
  readonly to: number;
  /** Over all values of all rounds. */
  readonly p99: number;
}

/** @param turn the values of one round of that way */
export async function inRounds<Name extends string>(
  rounds: number,
  names: readonly Name[],
  turn: (name: Name) => Promise<readonly number[]>,
): Promise<ReadonlyMap<Name, Spread>> {
  const values = new Map<Name, (readonly number[])[]>(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (let at = 0; at < names.length; at++) {
      const name = names[(round + at) % names.length];
      if (name !== undefined) values.get(name)?.push(await turn(name));
    }
  }
  return new Map([...values].map(([name, all]) => [name, spreadOf(all)]));
}

export function spreadOf(rounds: readonly (readonly number[])[]): Spread {
  const medians = rounds.map((values) => summary(values).p50).toSorted((a, b) => a - b);
  const at = (part: number): number => medians[Math.floor(part * (medians.length - 1))] ?? NaN;
  return { p50: at(0.5), from: at(0.25), to: at(0.75), p99: summary(rounds.flat()).p99 };
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A few ranges of dates in place of many dates. Near ranges are joined, so one may contain dates that
 * were never added: use them only where too many dates are safe. A clock that was far off leaves a
 * range of its own. Pure.
 *
 * @module
 */

/** ms since 1970, both ends in it. */
export interface DateRange {
  readonly fromMs: number;
  readonly toMs: number;
}

const NEAR_MS = 3600 * 1000;
/** Beyond this the two that lie closest together become one. */
const MAX_RANGES = 16;

export function withRange(ranges: readonly DateRange[], added: DateRange): readonly DateRange[] {
  const isNear = ({ fromMs, toMs }: DateRange): boolean =>
    fromMs - NEAR_MS <= added.toMs && added.fromMs <= toMs + NEAR_MS;
  const joined = [added, ...ranges.filter(isNear)].reduce(join);
  const all = [...ranges.filter((range) => !isNear(range)), joined]
    .toSorted((a, b) => a.fromMs - b.fromMs);
  return all.length > MAX_RANGES ? withoutSmallestGap(all) : all;
}

/** The first range that has a date in common with this one. */
export function overlapping(
  ranges: readonly DateRange[],
  { fromMs, toMs }: DateRange,
): DateRange | undefined {
  return ranges.find((range) => range.fromMs <= toMs && fromMs <= range.toMs);
}

function join(a: DateRange, b: DateRange): DateRange {
  return { fromMs: Math.min(a.fromMs, b.fromMs), toMs: Math.max(a.toMs, b.toMs) };
}

function withoutSmallestGap(sorted: readonly DateRange[]): readonly DateRange[] {
  const gaps = sorted.slice(1).map(({ fromMs }, i) => fromMs - (sorted[i]?.toMs ?? 0));
  const at = gaps.indexOf(Math.min(...gaps));
  return [
    ...sorted.slice(0, at),
    sorted.slice(at, at + 2).reduce(join),
    ...sorted.slice(at + 2),
  ];
}

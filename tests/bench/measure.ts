// SPDX-License-Identifier: GPL-2.0-or-later
/** What the benches have in common: figures beside their goals, percentiles, the report. @module */

import { writeAll } from "../../shared/cli/program.ts";
import { PROJECT } from "../e2e/program_flags.ts";

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The largest good value, or the smallest where more is better; none: it is only told. */
  readonly goal?: number;
  readonly moreIsBetter?: boolean;
  readonly original?: number;
  /** What reference/qrexec.md has for the real programs on a quiet machine. */
  readonly known?: number;
  /** What the value is compared with, measured in this run. */
  readonly baseline?: { readonly name: string; readonly value: number };
}

export type Add = (figure: Figure) => void;

export interface Report {
  /** Prints the figure and keeps it. */
  readonly add: Add;
  /** Writes all of them below build/. */
  write(file: string, more?: Readonly<Record<string, unknown>>): Promise<void>;
}

export function startReport(): Report {
  const figures: Figure[] = [];
  return {
    add(figure) {
      figures.push(figure);
      writeAll(Deno.stdout, describe(figure));
    },
    async write(file, more = {}) {
      const built = Deno.env.get("QVM_REMOTE_BUILT") ?? null;
      const report = { deno: Deno.version.deno, built, ...more, figures };
      await Deno.mkdir(`${PROJECT}/build`, { recursive: true });
      await Deno.writeTextFile(`${PROJECT}/build/${file}`, JSON.stringify(report, null, 2) + "\n");
    },
  };
}

export interface Summary {
  readonly p50: number;
  readonly p99: number;
}

/** One round of each after the other, so that a slow moment of the machine hits all alike. */
export async function interleaved<Name extends string>(
  rounds: number,
  runs: Readonly<Record<Name, () => Promise<unknown>>>,
): Promise<Record<Name, Summary>> {
  const { rest } = await inTurns(rounds, { ...DEFAULT_TURN, runs });
  return rest;
}

export interface Turns<Name extends string> {
  readonly runs: Readonly<Record<Name, () => Promise<unknown>>>;
  /** How often each runs before the next does. */
  readonly perTurn: number;
  /** Before each turn, for what the one before leaves behind. */
  readonly pauseMs: number;
}

const DEFAULT_TURN = { perTurn: 1, pauseMs: 0 } as const;

/**
 * The same with turns of several runs: the first after a pause finds a machine that has gone to
 * sleep, and has its own summary where there are others.
 */
export async function inTurns<Name extends string>(
  rounds: number,
  { runs, perTurn, pauseMs }: Turns<Name>,
): Promise<{ readonly first: Record<Name, Summary>; readonly rest: Record<Name, Summary> }> {
  const names = Object.keys(runs) as Name[];
  const empty = () => new Map<Name, number[]>(names.map((name) => [name, []]));
  const [firsts, others] = [empty(), empty()];
  for (let round = 0; round < rounds; round++) {
    for (const name of names) {
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
      for (let run = 0; run < perTurn; run++) {
        const started = performance.now();
        await runs[name]();
        const times = run === 0 && perTurn > 1 ? firsts : others;
        times.get(name)?.push(performance.now() - started);
      }
    }
  }
  const summed = (times: ReadonlyMap<Name, readonly number[]>) =>
    Object.fromEntries(names.map((name) => [name, summary(times.get(name) ?? [])])) as Record<
      Name,
      Summary
    >;
  return { first: summed(firsts), rest: summed(others) };
}

export function summary(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? NaN;
  return { p50: at(0.5), p99: at(0.99) };
}

function describe(figure: Figure): string {
  const { name, value, unit, goal, moreIsBetter = false, original, known, baseline } = figure;
  const met = goal !== undefined && (moreIsBetter ? value >= goal : value <= goal);
  const rest = [
    ...(goal === undefined ? [] : [`goal ${moreIsBetter ? ">=" : "<="} ${goal}${unit}`]),
    ...(original === undefined ? [] : [`original ${original}${unit}`]),
    ...(known === undefined ? [] : [`real ${known}${unit}`]),
    ...(baseline === undefined ? [] : [
      `${(value / baseline.value).toFixed(2)} x ${baseline.name} (${
        baseline.value.toFixed(1)
      }${unit})`,
    ]),
  ];
  const verdict = goal === undefined ? "      " : met ? "met   " : "MISSED";
  const shown = `${value.toFixed(2).padStart(9)} ${unit.padEnd(5)}`;
  return `${verdict} ${name.padEnd(64)} ${shown} ${rest.join(", ")}`.trimEnd() + "\n";
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What can be made to go wrong in one VM. The agent reads it live from
 * W/vms/<VM>/faults.json, so a fault holds for calls that are open as well.
 *
 * @module
 */
import { readTextIfAny, writeByRename } from "./files.ts";
import { vmPaths } from "./layout.ts";

/** Which way data goes. */
export type Direction = "toVm" | "fromVm";

/** Breaks the vchan of a call once that many bytes went one way. */
export interface Cut {
  readonly direction: Direction;
  readonly afterBytes: number;
  /** How many calls it breaks, counted from when the fault was set. */
  readonly times: number;
}

/** Delivers data in pieces of 1 to `maxBytes`, the same ones for the same seed. */
export interface Chunks {
  readonly maxBytes: number;
  readonly seed: number;
  /** Wait after each piece, so that the reader sees the border. */
  readonly pauseMs: number;
}

/** Everything that can go wrong. */
export interface Faults {
  /** Only calls whose command line contains this text meet the faults. */
  readonly match: string;
  readonly setupLatencyMs: number;
  readonly latencyMs: Readonly<Record<Direction, number>>;
  readonly cut: Cut | null;
  /** The next calls that fail with 125. */
  readonly refuseCalls: number;
  readonly chunks: Readonly<Record<Direction, Chunks | null>>;
  /** While true nothing is relayed that way, as with a VM that got no CPU. */
  readonly stall: Readonly<Record<Direction, boolean>>;
  /** qrexec-daemon is gone: open calls go on, new ones find no socket. */
  readonly daemonDown: boolean;
}

/** A VM in which nothing goes wrong. */
export const NO_FAULTS: Faults = {
  match: "",
  setupLatencyMs: 0,
  latencyMs: { toVm: 0, fromVm: 0 },
  cut: null,
  refuseCalls: 0,
  chunks: { toVm: null, fromVm: null },
  stall: { toVm: false, fromVm: false },
  daemonDown: false,
};

/** @returns the faults of the VM as they are on disk. */
export function readFaults(folder: string, vm: string): Faults {
  const text = readTextIfAny(vmPaths(folder, vm).faults);
  return text === undefined ? NO_FAULTS : { ...NO_FAULTS, ...JSON.parse(text) };
}

/** Writes the faults; the agent has still to be told (see vm_life.ts). */
export function writeFaults(folder: string, vm: string, faults: Faults): void {
  writeByRename(vmPaths(folder, vm).faults, JSON.stringify(faults, null, 1));
}

/** Numbers from 0 up to 1, the same ones for the same seed (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ state >>> 15, state | 1);
    mixed ^= mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61);
    return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32;
  };
}

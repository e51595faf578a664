// SPDX-License-Identifier: GPL-2.0-or-later
/** Lets the data of the calls of one VM through as its faults say. @module */
import { createRandom, type Direction, type Faults, NO_FAULTS } from "./faults.ts";

/** The vchan of the call was cut by a fault. */
export class CutError extends Error {
  override readonly name = "CutError";
}

/** The faults of a running VM: what is set, and what of it was used up. */
export interface FaultGate {
  /** Replaces the faults; calls that wait look again. */
  set(faults: Faults): void;
  readonly isDaemonDown: boolean;
  /** Opens a call. @returns false if it is one of those to refuse. */
  admit(command: string): boolean;
  /** Waits for as long as setting up a call takes. */
  setUp(command: string): Promise<void>;
  /** @returns the way through for one direction of one call. */
  channel(command: string, direction: Direction): FaultChannel;
}

/** Passes data on, late, in pieces, or not at all. @throws {CutError} */
export type FaultChannel = (
  bytes: Uint8Array,
  deliver: (piece: Uint8Array) => Promise<void>,
) => Promise<void>;

/** @returns a gate with these faults. */
export function createFaultGate(initial: Faults): FaultGate {
  let faults = initial;
  let refusalsLeft = initial.refuseCalls;
  let cutsLeft = initial.cut?.times ?? 0;
  let changed = Promise.withResolvers<void>();
  const seenBy = (command: string) => command.includes(faults.match) ? faults : NO_FAULTS;

  return {
    set(next) {
      faults = next;
      refusalsLeft = next.refuseCalls;
      cutsLeft = next.cut?.times ?? 0;
      changed.resolve();
      changed = Promise.withResolvers();
    },
    get isDaemonDown() {
      return faults.daemonDown;
    },
    admit(command) {
      if (!command.includes(faults.match) || refusalsLeft === 0) return true;
      refusalsLeft--;
      return false;
    },
    setUp: (command) => pause(seenBy(command).setupLatencyMs),
    channel(command, direction) {
      let passedBytes = 0;
      let random: { seed: number; next: () => number } | undefined;
      return async (bytes, deliver) => {
        while (seenBy(command).stall[direction]) await changed.promise;
        const { latencyMs, chunks, cut } = seenBy(command);
        await pause(latencyMs[direction]);
        const room = cut?.direction === direction && cutsLeft > 0
          ? cut.afterBytes - passedBytes
          : Infinity;
        const kept = bytes.length > room ? bytes.subarray(0, Math.max(0, room)) : bytes;
        passedBytes += kept.length;
        const pieces = chunks[direction];
        if (pieces === null) {
          if (kept.length > 0) await deliver(kept);
        } else {
          if (random?.seed !== pieces.seed) {
            random = { seed: pieces.seed, next: createRandom(pieces.seed) };
          }
          for (let at = 0; at < kept.length;) {
            const size = 1 + Math.floor(random.next() * pieces.maxBytes);
            await deliver(kept.subarray(at, at + size));
            at += size;
            await pause(pieces.pauseMs);
          }
        }
        if (bytes.length >= room) {
          cutsLeft--;
          throw new CutError(`cut after ${passedBytes} bytes ${direction}`);
        }
      };
    },
  };
}

/** Returns at once for 0, without a timer. */
async function pause(ms: number): Promise<void> {
  if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Writes frames in the order of the calls, as many at once as wait: a write costs the same for
 * one as for eight. Each byte is copied once, into a buffer that is used again.
 *
 * @module
 */

import type { Bytes } from "../../protocol/bytes.ts";

/** Most bytes of one write, but for a longer frame: some full buffers of the pipe. */
const BATCH_BYTES = 256 * 1024;
const FIRST_BYTES = 4 * 1024;

export interface BatchSender {
  /**
   * A frame, in parts, which may be reused at once. Resolves when it is written, or never can be.
   */
  send(...parts: readonly Uint8Array[]): Promise<void>;
}

interface Batch {
  bytes: Bytes;
  used: number;
  readonly done: (() => void)[];
}

/** @param onError called once, when a write fails; later frames are dropped */
export function createBatchSender(
  write: (bytes: Uint8Array) => Promise<void>,
  onError: (error: unknown) => void,
): BatchSender {
  const batches: Batch[] = [];
  let spare: Bytes = new Uint8Array(0);
  let writing: Batch | undefined;
  let [running, broken] = [false, false];

  /** The batch that has room for that many bytes more. */
  const batchFor = (bytes: number): Batch => {
    let last = batches.at(-1);
    if (last === undefined || last.used + bytes > BATCH_BYTES || last === writing) {
      last = { bytes: spare, used: 0, done: [] };
      spare = new Uint8Array(0);
      batches.push(last);
    }
    const needed = last.used + bytes;
    if (last.bytes.length < needed) {
      const larger = new Uint8Array(
        Math.max(needed, Math.min(BATCH_BYTES, Math.max(FIRST_BYTES, 2 * needed))),
      );
      larger.set(last.bytes.subarray(0, last.used));
      last.bytes = larger;
    }
    return last;
  };
  const run = async (): Promise<void> => {
    running = true;
    await Promise.resolve(); // what is sent in the same turn goes along
    while ((writing = batches[0]) !== undefined) {
      try {
        if (!broken) await write(writing.bytes.subarray(0, writing.used));
      } catch (error) {
        broken = true;
        onError(error);
      }
      batches.shift();
      if (writing.bytes.length > spare.length) spare = writing.bytes;
      for (const done of writing.done) done();
    }
    running = false;
  };
  return {
    send(...parts) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const batch = batchFor(parts.reduce((sum, part) => sum + part.length, 0));
      for (const part of parts) {
        batch.bytes.set(part, batch.used);
        batch.used += part.length;
      }
      batch.done.push(resolve);
      if (!running) run();
      return promise;
    },
  };
}

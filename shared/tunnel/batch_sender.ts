// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Writes frames in the order of the calls, as many at once as wait: a write costs the same for
 * one as for eight.
 *
 * @module
 */

/** Most bytes of one write: some full buffers of the pipe. */
const BATCH_BYTES = 256 * 1024;

export interface BatchSender {
  /** Resolves when the bytes are written, or can never be. */
  send(bytes: Uint8Array): Promise<void>;
}

/** @param onError called once, when a write fails; later frames are dropped */
export function createBatchSender(
  write: (bytes: Uint8Array) => Promise<void>,
  onError: (error: unknown) => void,
): BatchSender {
  const queue: { readonly bytes: Uint8Array; readonly done: () => void }[] = [];
  let batch = new Uint8Array(0);
  let [running, broken] = [false, false];

  const writeBatch = async (): Promise<void> => {
    let [count, size] = [0, 0];
    for (const { bytes } of queue) {
      if (count > 0 && size + bytes.length > BATCH_BYTES) break;
      count++;
      size += bytes.length;
    }
    const taken = queue.splice(0, count);
    if (batch.length < size) {
      batch = new Uint8Array(Math.max(size, Math.min(BATCH_BYTES, 2 * size)));
    }
    let at = 0;
    for (const { bytes } of taken) {
      batch.set(bytes, at);
      at += bytes.length;
    }
    try {
      if (!broken) await write(batch.subarray(0, size));
    } catch (error) {
      broken = true;
      onError(error);
    }
    for (const { done } of taken) done();
  };
  const run = async (): Promise<void> => {
    running = true;
    await Promise.resolve(); // what is sent in the same turn goes along
    while (queue.length > 0) await writeBatch();
    running = false;
  };
  return {
    send(bytes) {
      const { promise, resolve } = Promise.withResolvers<void>();
      queue.push({ bytes, done: resolve });
      if (!running) run();
      return promise;
    },
  };
}

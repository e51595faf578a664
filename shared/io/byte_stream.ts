// SPDX-License-Identifier: GPL-2.0-or-later
/** Bytes out in order, bytes in through a frame decoder. @module */

import { createFrameDecoder, type Frame } from "../protocol/frame.ts";

/** Writes in the order of the calls. */
export interface Sender {
  /** Queues the bytes; resolves when they are written, which a slow peer delays. */
  send(bytes: Uint8Array): Promise<void>;
  /** Bytes queued and not yet written. */
  backlogBytes(): number;
}

/** @param onError called once, when a write fails; later sends are dropped */
export function createSender(
  write: (bytes: Uint8Array) => Promise<void>,
  onError: (error: unknown) => void,
): Sender {
  let last = Promise.resolve();
  let backlog = 0;
  let broken = false;
  return {
    send(bytes) {
      backlog += bytes.length;
      last = last.then(async () => {
        try {
          if (!broken) await write(bytes);
        } catch (error) {
          broken = true;
          onError(error);
        } finally {
          backlog -= bytes.length;
        }
      });
      return last;
    },
    backlogBytes: () => backlog,
  };
}

/**
 * Gives each frame of a stream to `take`, in order, waiting for it before the next.
 *
 * @throws {ProtocolError} for a bad or cut frame, and whatever `take` throws
 */
export async function readFrames(
  stream: ReadableStream<Uint8Array>,
  maxPayloadBytes: ReadonlyMap<number, number>,
  take: (frame: Frame) => void | Promise<void>,
): Promise<void> {
  const decoder = createFrameDecoder(maxPayloadBytes);
  for await (const untrustedChunk of stream) {
    for (const frame of decoder.push(untrustedChunk)) {
      const taken = take(frame);
      if (taken !== undefined) await taken; // a turn of the event loop for each would cost more
    }
  }
  decoder.end();
}

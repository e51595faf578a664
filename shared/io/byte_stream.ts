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
 * Gives each frame of a stream to `take`, in order, and waits for it before the next.
 *
 * @param isLent whether bytes of frames of that type are good only until `take` is done with them
 * @throws {ProtocolError} for a bad or cut frame, and whatever `take` throws
 */
export async function readFrames(
  stream: ReadableStream<Uint8Array>,
  maxPayloadBytes: ReadonlyMap<number, number>,
  take: (frame: Frame) => void | Promise<void>,
  isLent?: (type: number) => boolean,
): Promise<void> {
  const decoder = createFrameDecoder(maxPayloadBytes, isLent);
  await createChunkReader(stream).each(async (untrustedChunk) => {
    for (const frame of decoder.push(untrustedChunk)) {
      const taken = take(frame);
      if (taken !== undefined) await taken; // waiting a turn of the event loop for each would cost more
    }
  });
  decoder.end();
}

/** Most streams carry less than this: a command's output, an answer. */
const FIRST_CHUNK_BYTES = 4 * 1024;
/** One read of a full pipe. */
const CHUNK_BYTES = 64 * 1024;

export interface ChunkReader {
  /**
   * Gives the stream's bytes to `take`, piece by piece. A piece is valid only until `take` is
   * done with it: where the stream can fill one, one buffer is used again and again. What ends it
   * early cancels the stream.
   */
  each(take: (untrustedChunk: Uint8Array) => void | Promise<void>): Promise<void>;
  cancel(): void;
}

export function createChunkReader(stream: ReadableStream<Uint8Array>): ChunkReader {
  const bytes = byteReader(stream);
  const reader = bytes ?? stream.getReader();
  let buffer = new ArrayBuffer(bytes === null ? 0 : FIRST_CHUNK_BYTES);
  const next = async (): Promise<Uint8Array | undefined> => {
    const { value, done } = bytes === null
      ? await (reader as ReadableStreamDefaultReader<Uint8Array>).read()
      : await bytes.read(new Uint8Array(buffer));
    return done ? undefined : value;
  };
  const cancel = (): void => void reader.cancel().catch(() => {});
  return {
    cancel,
    async each(take) {
      try {
        for (let chunk; (chunk = await next()) !== undefined;) {
          await take(chunk);
          if (bytes !== null) buffer = bufferAfter(chunk);
        }
      } catch (error) {
        cancel();
        throw error;
      }
    },
  };
}

/** The same again; a large one when a small one was filled. */
function bufferAfter({ buffer, byteLength }: Uint8Array): ArrayBuffer {
  const isFilled = byteLength === buffer.byteLength;
  return isFilled && byteLength < CHUNK_BYTES
    ? new ArrayBuffer(CHUNK_BYTES)
    : buffer as ArrayBuffer;
}

/** null: the stream has no bytes of its own, as those that tests make. */
function byteReader(stream: ReadableStream<Uint8Array>): ReadableStreamBYOBReader | null {
  try {
    return stream.getReader({ mode: "byob" });
  } catch {
    return null;
  }
}

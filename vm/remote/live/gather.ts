// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Reads ahead while the last piece is still at work, so that a fast source makes large pieces and a slow
 * one makes small ones at once.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { MAX_CHUNK_BYTES } from "../../../shared/protocol/limits.ts";
import type { ByteSource } from "../../../shared/io/read_ahead.ts";

/** So long a piece that is not full waits for more: a program that writes all the time fills it. */
const PATIENCE_MS = 10;

export interface Piece {
  /** At least one byte, unless it is the end. */
  readonly data: Uint8Array;
  readonly isEnd: boolean;
}

export interface Pieces {
  /** What has come since; waits if that is nothing. @throws what the source threw */
  next(): Promise<Piece>;
}

/** Never holds more than one piece that nobody has taken. */
export function gather(source: ByteSource): Pieces {
  /** From `start` to `end` nobody has taken it; a read may be writing behind that. */
  let buffer = new Uint8Array(MAX_CHUNK_BYTES);
  let [start, end] = [0, 0];
  let failure: { readonly error: unknown } | null = null;
  const something = createGate();
  const full = createGate();
  const room = createGate();
  const readAll = async (): Promise<void> => {
    for (;;) {
      const got = await source.read(buffer.subarray(end));
      if (got === null) return;
      end += got;
      something.open();
      if (end < buffer.length) continue;
      full.open();
      await room.opened();
      room.close();
      buffer = new Uint8Array(MAX_CHUNK_BYTES);
      [start, end] = [0, 0];
    }
  };
  let hasEnded = false;
  readAll().catch((error) => void (failure = { error })).finally(() => {
    hasEnded = true;
    something.open();
    full.open();
  });
  return {
    async next() {
      await something.opened();
      if (!full.isOpen()) await Promise.race([full.opened(), delay(PATIENCE_MS)]);
      if (failure !== null) throw failure.error;
      const data = buffer.subarray(start, end);
      start = end;
      if (!hasEnded) {
        something.close();
        if (full.isOpen()) room.open();
        full.close();
      }
      return { data, isEnd: hasEnded };
    },
  };
}

interface Gate {
  open(): void;
  close(): void;
  isOpen(): boolean;
  opened(): Promise<void>;
}

function createGate(): Gate {
  let state = Promise.withResolvers<void>();
  let isOpen = false;
  return {
    open() {
      isOpen = true;
      state.resolve();
    },
    close() {
      if (isOpen) state = Promise.withResolvers();
      isOpen = false;
    },
    isOpen: () => isOpen,
    opened: () => state.promise,
  };
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** Whether what is piped in ends soon and is small. @module */

import type { ByteSource } from "../../../shared/io/read_ahead.ts";

const READ_BYTES = 64 * 1024;

export interface Peeked {
  /** All of it: what was read, and what follows. */
  readonly source: ByteSource;
  /** Nothing follows. */
  readonly isAll: boolean;
}

/** Reads until its end, or that much, or for so long. */
export async function peek(from: ByteSource, maxBytes: number, maxMs: number): Promise<Peeked> {
  const pieces: Uint8Array[] = [];
  const time = AbortSignal.timeout(maxMs);
  const timeIsUp = new Promise<"late">((resolve) => time.onabort = () => resolve("late"));
  for (let bytes = 0; bytes < maxBytes;) {
    const buffer = new Uint8Array(READ_BYTES);
    const reading = from.read(buffer);
    const got = await Promise.race([reading, timeIsUp]);
    if (got === null) return { source: joined(pieces, null, from), isAll: true };
    if (got === "late") {
      const late = { buffer, reading };
      return { source: joined(pieces, late, from), isAll: false };
    }
    pieces.push(buffer.subarray(0, got));
    bytes += got;
  }
  return { source: joined(pieces, null, from), isAll: false };
}

/** A read that nobody waited for. */
interface Late {
  readonly buffer: Uint8Array;
  readonly reading: Promise<number | null>;
}

function joined(pieces: readonly Uint8Array[], late: Late | null, from: ByteSource): ByteSource {
  const rest = [...pieces];
  let pending = late;
  let hasEnded = false;
  return {
    async read(into) {
      if (rest.length === 0 && pending !== null) {
        const { buffer, reading } = pending;
        pending = null;
        const got = await reading;
        if (got === null) hasEnded = true;
        else rest.push(buffer.subarray(0, got));
      }
      const piece = rest.shift();
      if (piece === undefined) return hasEnded ? null : await from.read(into);
      const part = piece.subarray(0, into.length);
      into.set(part);
      if (part.length < piece.length) rest.unshift(piece.subarray(part.length));
      return part.length;
    },
  };
}

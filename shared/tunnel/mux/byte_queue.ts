// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Bytes that were received and not yet passed on. Each is copied once, into a block that is reused.
 * Blocks are at most about twice as large as their contents, however small the pieces: a peer that
 * sends single bytes does not cost an object for each. Pure.
 *
 * @module
 */

/** A chat's message fits. */
const SMALL_BLOCK_BYTES = 4 * 1024;
/** One write of this size costs little more than a smaller one. */
const LARGEST_BLOCK_BYTES = 256 * 1024;

export interface ByteQueue {
  /** The bytes may be used again at once. */
  push(bytes: Uint8Array): void;
  /**
   * The oldest bytes, as many as make a good write; undefined when there are none. They are
   * good until the next call.
   */
  shift(): Uint8Array | undefined;
  clear(): void;
}

interface Block {
  readonly bytes: Uint8Array;
  used: number;
}

export function createByteQueue(): ByteQueue {
  let blocks: Block[] = [];
  let held = 0;
  /** What the last shift() gave. */
  let lent: Uint8Array | null = null;
  let spare: Uint8Array | null = null;

  const newBlock = (bytes: number): Block => {
    const size = Math.min(LARGEST_BLOCK_BYTES, Math.max(SMALL_BLOCK_BYTES, bytes, 2 * held));
    // A large block is not kept for small pieces: an idle connection would hold on to it.
    const isFit = spare !== null && spare.length >= size &&
      (size > SMALL_BLOCK_BYTES || spare.length === SMALL_BLOCK_BYTES);
    const block = { bytes: isFit && spare !== null ? spare : new Uint8Array(size), used: 0 };
    spare = null;
    return block;
  };
  return {
    push(bytes) {
      for (let at = 0; at < bytes.length;) {
        let last = blocks.at(-1);
        if (last === undefined || last.used === last.bytes.length) {
          last = newBlock(bytes.length - at);
          blocks.push(last);
        }
        const part = bytes.subarray(at, at + last.bytes.length - last.used);
        last.bytes.set(part, last.used);
        last.used += part.length;
        held += part.length;
        at += part.length;
      }
    },
    shift() {
      if (lent !== null && lent.length >= (spare?.length ?? 0)) spare = lent;
      lent = null;
      const first = blocks.shift();
      if (first === undefined) return undefined;
      lent = first.bytes;
      held -= first.used;
      return first.bytes.subarray(0, first.used);
    },
    clear() {
      blocks = [];
      held = 0;
      lent = spare = null;
    },
  };
}

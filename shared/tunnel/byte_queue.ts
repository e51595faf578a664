// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Bytes that came and are not yet written on. What it costs is about what it holds, however
 * small the pieces are: a peer that sends single bytes costs no object for each. Pure.
 *
 * @module
 */

/** Pieces smaller than this are put together. */
const SMALL_BYTES = 2 * 1024;
const BLOCK_BYTES = 4 * 1024;

export interface ByteQueue {
  push(bytes: Uint8Array): void;
  /** The oldest bytes, as they lie; undefined when there are none. */
  shift(): Uint8Array | undefined;
  clear(): void;
}

export function createByteQueue(): ByteQueue {
  let pieces: Uint8Array[] = [];
  /** The last piece, if it has room behind it. */
  let block: Uint8Array | null = null;
  let used = 0;

  const closeBlock = (): void => {
    if (block !== null && used > 0) pieces.push(block.subarray(0, used));
    block = null;
    used = 0;
  };
  return {
    push(bytes) {
      if (bytes.length >= SMALL_BYTES) {
        closeBlock();
        pieces.push(bytes);
        return;
      }
      if (block === null || used + bytes.length > block.length) {
        closeBlock();
        block = new Uint8Array(BLOCK_BYTES);
      }
      block.set(bytes, used);
      used += bytes.length;
    },
    shift() {
      if (pieces.length === 0) closeBlock();
      return pieces.shift();
    },
    clear() {
      pieces = [];
      block = null;
      used = 0;
    },
  };
}

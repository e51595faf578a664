// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Bytes that came and are not yet written on. What it costs is about what it holds, however
 * small the pieces are: a peer that sends single bytes costs no object for each. Pure.
 *
 * @module
 */

import { concat } from "../protocol/bytes.ts";

/** Pieces smaller than this are put together. */
const SMALL_BYTES = 2 * 1024;
const BLOCK_BYTES = 4 * 1024;
/** Several pieces are given as one up to this: one write instead of many. */
const MERGED_BYTES = 256 * 1024;

export interface ByteQueue {
  push(bytes: Uint8Array): void;
  /** The oldest bytes, as many as make a good write; undefined when there are none. */
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
      closeBlock();
      const [first] = pieces;
      if (first === undefined || pieces.length === 1) {
        pieces = [];
        return first;
      }
      let [count, bytes] = [0, 0];
      for (const piece of pieces) {
        if (count > 0 && bytes + piece.length > MERGED_BYTES) break;
        count++;
        bytes += piece.length;
      }
      return concat(pieces.splice(0, count));
    },
    clear() {
      pieces = [];
      block = null;
      used = 0;
    },
  };
}

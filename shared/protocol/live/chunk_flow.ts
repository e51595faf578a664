// SPDX-License-Identifier: GPL-2.0-or-later
/** How far a live stream is in a session, as each side counts it. Pure. @module */

import { CHUNK_WINDOW_BYTES, CHUNK_WINDOW_CHUNKS } from "../limits.ts";
import { ProtocolError } from "../refusal.ts";

export interface ChunkFlow {
  /** Where the next chunk belongs; null: dom0 has not asked for any in this session. */
  nextOffset: number | null;
  /** dom0 has all before it. */
  confirmed: number;
  /** Where the chunks end that dom0 has not confirmed. */
  pending: readonly number[];
  /** The last one was sent. */
  hasEnded: boolean;
  /** dom0 wants no more. */
  isEnough: boolean;
}

export const NO_CHUNKS: Readonly<ChunkFlow> = {
  nextOffset: null,
  confirmed: 0,
  pending: [],
  hasEnded: false,
  isEnough: false,
};

/**
 * dom0 asks for what follows; each time but the first it confirms whole chunks.
 *
 * @throws {ProtocolError} "unexpected"
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const flow = { ...NO_CHUNKS };
 * noteWant(flow, 700);
 * assertEquals(flow.nextOffset, 700);
 * assertThrows(() => noteWant(flow, 701), Error, "unexpected");
 * ```
 */
export function noteWant(flow: ChunkFlow, offset: number): void {
  if (flow.nextOffset === null) flow.nextOffset = offset;
  else if (!flow.pending.includes(offset)) throw new ProtocolError("unexpected", `want ${offset}`);
  flow.confirmed = offset;
  flow.pending = flow.pending.filter((end) => end > offset);
}

/**
 * Whether a chunk of so many bytes may be sent now.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 *
 * const flow = { ...NO_CHUNKS };
 * assert(!hasChunkRoom(flow, 5));
 * noteWant(flow, 0);
 * assert(hasChunkRoom(flow, 5));
 * ```
 */
export function hasChunkRoom(flow: ChunkFlow, bytes: number): boolean {
  const { nextOffset, confirmed, pending, hasEnded, isEnough } = flow;
  return nextOffset !== null && !hasEnded && !isEnough &&
    pending.length < CHUNK_WINDOW_CHUNKS && nextOffset + bytes - confirmed <= CHUNK_WINDOW_BYTES;
}

/**
 * The VM sends a chunk.
 *
 * @returns whether it counts: what crosses an "enough" does not
 * @throws {ProtocolError} "unexpected": at another place, or more than dom0 wants
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const flow = { ...NO_CHUNKS };
 * noteWant(flow, 0);
 * assertThrows(() => noteChunk(flow, 1, 5, false), Error, "unexpected");
 * noteChunk(flow, 0, 5, false);
 * assertEquals(flow.nextOffset, 5);
 * ```
 */
export function noteChunk(
  flow: ChunkFlow,
  offset: number,
  bytes: number,
  isEnd: boolean,
): boolean {
  const isWanted = hasChunkRoom({ ...flow, isEnough: false }, bytes);
  if (!isWanted || offset !== flow.nextOffset) {
    throw new ProtocolError("unexpected", `chunk of ${bytes} bytes at ${offset}`);
  }
  flow.nextOffset = offset + bytes;
  flow.pending = [...flow.pending, flow.nextOffset];
  flow.hasEnded = isEnd;
  return !flow.isEnough;
}

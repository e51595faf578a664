// SPDX-License-Identifier: GPL-2.0-or-later
/** How much of a payload dom0 has asked for in a session, and what of it has come. Pure. @module */

import { MAX_PAYLOAD_CHUNK_BYTES } from "./limits.ts";
import { ProtocolError } from "./refusal.ts";

export interface PayloadFlow {
  /** Where the next bytes belong. */
  nextOffset: number;
  /** Asked for, and not there. */
  pulledBytes: number;
}

/**
 * dom0 asks for that part; the first one may begin anywhere, each other one where the one before ends.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const flow = { nextOffset: 0, pulledBytes: 0 };
 * notePull(flow, 700, 40);
 * assertEquals(flow, { nextOffset: 700, pulledBytes: 40 });
 * ```
 */
export function notePull(flow: PayloadFlow, offset: number, bytes: number): void {
  if (flow.pulledBytes === 0) flow.nextOffset = offset;
  if (offset !== flow.nextOffset + flow.pulledBytes) throw new Error("bug: a gap");
  flow.pulledBytes += bytes;
}

/**
 * The VM sends so many bytes: in order, and no more than dom0 has asked for. None are the last.
 *
 * @throws {ProtocolError} "unexpected"
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const flow = { nextOffset: 700, pulledBytes: 40 };
 * assertThrows(() => takePayload(flow, 700, 41), Error, "unexpected");
 * takePayload(flow, 700, 30);
 * assertEquals(flow, { nextOffset: 730, pulledBytes: 10 });
 * ```
 */
export function takePayload(flow: PayloadFlow, offset: number, bytes: number): void {
  const most = Math.min(flow.pulledBytes, MAX_PAYLOAD_CHUNK_BYTES);
  if (flow.pulledBytes === 0 || offset !== flow.nextOffset || bytes > most) {
    throw new ProtocolError("unexpected", `${bytes} bytes of payload at ${offset}`);
  }
  flow.nextOffset += bytes;
  flow.pulledBytes = bytes === 0 ? 0 : flow.pulledBytes - bytes;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Frames: how a byte stream is cut into messages. The sizes in which qrexec delivers it mean nothing.
 *
 *     +----------------+--------+----------------+
 *     | length, u32 BE |  type  |    payload     |
 *     +----------------+--------+----------------+
 *        4 bytes         1 byte   length - 1 bytes
 *
 * @module
 */

import { type Bytes, concat, readFields, uint32 } from "./bytes.ts";
import { ProtocolError } from "./refusal.ts";

const LENGTH_BYTES = 4;
const TYPE_BYTES = 1;
const HEADER_BYTES = LENGTH_BYTES + TYPE_BYTES;
/** What comes before a payload. */
export const FRAME_HEAD_BYTES = HEADER_BYTES;

/** A frame's type and payload, still unparsed. */
export interface Frame {
  readonly type: number;
  readonly untrustedPayload: Uint8Array;
}

export interface FrameDecoder {
  /**
   * Takes any slice of the stream; returns the frames it completed.
   *
   * @throws {ProtocolError} "bad-frame", "unknown-type" or "too-long"; then only "unexpected"
   */
  push(untrustedChunk: Uint8Array): Frame[];
  /** Call at end of stream. @throws {ProtocolError} "cut-off" inside a frame. */
  end(): void;
}

/**
 * @param maxPayloadBytes the cap of each type that may arrive; any other type is refused as
 *   soon as its byte is seen, before its payload is waited for.
 * @param isLent whether payloads of that type are good only until the next push, and until you reuse
 *   the piece that they came in: that saves a copy, or memory for each
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const decoder = createFrameDecoder(new Map([[7, 10]])); // type 7, 10 bytes at most
 * const [first, ...more] = decoder.push(encodeFrame(7, new Uint8Array([1, 2])));
 * assertEquals([first?.type, more.length], [7, 0]);
 * decoder.end();
 * ```
 */
export function createFrameDecoder(
  maxPayloadBytes: ReadonlyMap<number, number>,
  isLent: (type: number) => boolean = () => false,
): FrameDecoder {
  const header = new Uint8Array(HEADER_BYTES);
  let headerBytes = 0;
  // Allocated once, when the length has passed its cap: a peer that sends a byte at a time
  // costs no more memory than one that sends all at once.
  let payload = new Uint8Array(0);
  let payloadBytes = 0;
  let refused = false;
  const lend = createLender();

  return {
    push(untrustedChunk) {
      if (refused) throw new ProtocolError("unexpected", "bytes after a refused frame");
      const frames: Frame[] = [];
      let rest = untrustedChunk;
      while (rest.length > 0) {
        if (headerBytes < HEADER_BYTES) {
          const part = rest.subarray(0, HEADER_BYTES - headerBytes);
          header.set(part, headerBytes);
          headerBytes += part.length;
          rest = rest.subarray(part.length);
          if (headerBytes < HEADER_BYTES) break;
          refused = true;
          const length = checkHeader(header, maxPayloadBytes);
          refused = false;
          payloadBytes = 0;
          const lends = isLent(header[LENGTH_BYTES] ?? 0);
          if (lends && length <= rest.length) {
            const untrustedPayload = rest.subarray(0, length);
            frames.push({ type: header[LENGTH_BYTES] ?? 0, untrustedPayload });
            rest = rest.subarray(length);
            headerBytes = 0;
            continue;
          }
          payload = lends ? lend(length) : new Uint8Array(length);
        }
        const part = rest.subarray(0, payload.length - payloadBytes);
        payload.set(part, payloadBytes);
        payloadBytes += part.length;
        rest = rest.subarray(part.length);
        if (payloadBytes === payload.length) {
          frames.push({ type: header[LENGTH_BYTES] ?? 0, untrustedPayload: payload });
          headerBytes = 0;
        }
      }
      return frames;
    },
    end() {
      if (headerBytes > 0) throw new ProtocolError("cut-off", "stream ended inside a frame");
    },
  };
}

/** Two buffers in turn: one push completes one payload at most that an earlier push began. */
function createLender(): (bytes: number) => Uint8Array<ArrayBuffer> {
  let [next, other] = [new ArrayBuffer(0), new ArrayBuffer(0)];
  return (bytes) => {
    const lent = next.byteLength < bytes ? new ArrayBuffer(bytes) : next;
    [next, other] = [other, lent];
    return new Uint8Array(lent, 0, bytes);
  };
}

/** @returns the number of payload bytes to wait for */
function checkHeader(header: Uint8Array, caps: ReadonlyMap<number, number>): number {
  const fields = readFields(header);
  const length = fields.uint32();
  const type = fields.uint8();
  if (length < TYPE_BYTES) throw new ProtocolError("bad-frame", "frame without a type");
  const cap = caps.get(type);
  if (cap === undefined) throw new ProtocolError("unknown-type", `type ${type}`);
  if (length - TYPE_BYTES > cap) {
    throw new ProtocolError("too-long", `payload of ${length - TYPE_BYTES} bytes, type ${type}`);
  }
  return length - TYPE_BYTES;
}

/**
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([...encodeFrame(7, new Uint8Array([1, 2]))], [0, 0, 0, 3, 7, 1, 2]);
 * ```
 */
export function encodeFrame(type: number, ...payload: readonly Uint8Array[]): Bytes {
  const length = TYPE_BYTES + payload.reduce((sum, part) => sum + part.length, 0);
  return concat([uint32(length), new Uint8Array([type]), ...payload]);
}

/**
 * The same without a copy of a large payload.
 *
 * @param wire room for FRAME_HEAD_BYTES and `head`, then the rest of the payload; it becomes the frame
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const wire = new Uint8Array([0, 0, 0, 0, 0, 0, 2]);
 * assertEquals([...fillFrame(wire, 7, new Uint8Array([1]))], [0, 0, 0, 3, 7, 1, 2]);
 * ```
 */
export function fillFrame(wire: Bytes, type: number, ...head: readonly Uint8Array[]): Bytes {
  const length = uint32(wire.length - LENGTH_BYTES);
  wire.set(concat([length, new Uint8Array([type]), ...head]));
  return wire;
}

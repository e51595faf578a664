// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The stream between qrexec-client and the agent of a VM. One connection is
 * one call; it stands for qrexec's control socket and its data vchan in one.
 *
 *     client                              agent
 *      | -- call { command, ... } ----------> |
 *      | <- accepted ------------------------ |   none: not set up (125)
 *      | -- stdin ... stdin "" -------------> |   empty: end of this stream
 *      | <- stdout ... stdout "" ------------ |
 *      | <- stderr ... stderr "" ------------ |
 *      | <- exit code ----------------------- |   none: the VM died (255)
 *      x <- close --------------------------- |
 *
 * A frame is one byte of type, a 4-byte big-endian length, and that many bytes.
 * As in qrexec both output streams share the way back, so that a client which
 * does not read one of them stops the other.
 *
 * @module
 */
import { MAX_CALL_FRAME_BYTES, MAX_DATA_BYTES } from "./limits.ts";

/** Types of frames. */
export const FRAME = {
  call: 1,
  accepted: 2,
  stdin: 3,
  stdout: 4,
  stderr: 5,
  exit: 6,
} as const;
/** One of the types in `FRAME`. */
export type FrameType = typeof FRAME[keyof typeof FRAME];

/** Bytes in front of the body of a frame. */
export const HEADER_BYTES = 5;

/** What the client asks for, in the body of a `call` frame. */
export interface CallRequest {
  /** "user:QUBESRPC service+argument source" or "user:shell command". */
  readonly command: string;
  /** -e: start it and do not wait. */
  readonly justExec: boolean;
}

/** A part of a frame's body, as much of it as has arrived. */
export interface FramePiece {
  readonly type: FrameType;
  readonly bytes: Uint8Array;
  /** True if the frame has no body: the end of that stream. */
  readonly isEmpty: boolean;
  /** True if nothing of this frame follows. */
  readonly isLast: boolean;
}

/** Reads frames in pieces, so that large ones are not copied together. */
export interface FrameReader {
  /** The bytes are valid until the next call. Undefined at the end of the stream. */
  next(): Promise<FramePiece | undefined>;
}

/** Anything with the read of a connection. */
export interface ByteReader {
  read(into: Uint8Array): Promise<number | null>;
}

/** Anything with the write of a connection. */
export interface ByteWriter {
  write(bytes: Uint8Array): Promise<number>;
}

/** @returns a reader; it throws if the stream ends in a frame or makes no sense. */
export function createFrameReader(source: ByteReader): FrameReader {
  const buffer = new Uint8Array(HEADER_BYTES + MAX_DATA_BYTES);
  let start = 0;
  let end = 0;
  let type: FrameType = FRAME.call;
  let remaining = 0;

  async function fill(): Promise<boolean> {
    if (start === end) start = end = 0;
    else if (end === buffer.length) {
      buffer.copyWithin(0, start, end);
      end -= start;
      start = 0;
    }
    const got = await source.read(buffer.subarray(end));
    if (got === null) return false;
    end += got;
    return true;
  }

  return {
    async next() {
      const isContinued = remaining > 0;
      if (!isContinued) {
        while (end - start < HEADER_BYTES) {
          if (await fill()) continue;
          if (end === start) return undefined;
          throw new Error("stream ended in a frame header");
        }
        const header = readHeader(buffer.subarray(start, start + HEADER_BYTES));
        start += HEADER_BYTES;
        type = header.type;
        remaining = header.bodyBytes;
        if (remaining === 0) {
          return { type, bytes: buffer.subarray(0, 0), isEmpty: true, isLast: true };
        }
      }
      while (start === end) if (!await fill()) throw new Error("stream ended in a frame");
      const bytes = buffer.subarray(start, Math.min(end, start + remaining));
      start += bytes.length;
      remaining -= bytes.length;
      return { type, bytes, isEmpty: false, isLast: remaining === 0 };
    },
  };
}

/** Reads the rest of a frame whose body is needed whole. */
export async function wholeBody(reader: FrameReader, first: FramePiece): Promise<Uint8Array> {
  const body = [...first.bytes];
  for (let piece: FramePiece = first; !piece.isLast;) {
    const next = await reader.next();
    if (next === undefined) throw new Error("stream ended in a frame");
    for (const byte of next.bytes) body.push(byte);
    piece = next;
  }
  return new Uint8Array(body);
}

/** Sends frames whole, whoever sends at the same time. */
export interface FrameWriter {
  /** Sends the bytes as one frame. */
  send(type: FrameType, body: Uint8Array): Promise<void>;
  /** Sends `frame`, whose first HEADER_BYTES are free for the header: no copy is made. */
  sendInPlace(type: FrameType, frame: Uint8Array): Promise<void>;
}

/** @returns a writer; it rejects when the other end is gone. */
export function createFrameWriter(sink: ByteWriter): FrameWriter {
  let last: Promise<void> = Promise.resolve();
  function sendInPlace(type: FrameType, frame: Uint8Array): Promise<void> {
    frame[0] = type;
    new DataView(frame.buffer, frame.byteOffset).setUint32(1, frame.length - HEADER_BYTES);
    const sent = last.then(() => writeAll(sink, frame));
    last = sent.catch(() => {}); // the next sender meets the same error itself
    return sent;
  }
  return {
    sendInPlace,
    send(type, body) {
      const frame = new Uint8Array(HEADER_BYTES + body.length);
      frame.set(body, HEADER_BYTES);
      return sendInPlace(type, frame);
    },
  };
}

/** Writes everything. */
export async function writeAll(sink: ByteWriter, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await sink.write(bytes.subarray(at));
}

function readHeader(header: Uint8Array): { type: FrameType; bodyBytes: number } {
  const type = Object.values(FRAME).find((known) => known === header[0]);
  if (type === undefined) throw new Error(`unknown frame type ${header[0]}`);
  const bodyBytes = new DataView(header.buffer, header.byteOffset).getUint32(1);
  const maxBytes = type === FRAME.call ? MAX_CALL_FRAME_BYTES : MAX_DATA_BYTES;
  if (bodyBytes > maxBytes) throw new Error(`frame of ${bodyBytes} bytes`);
  return { type, bodyBytes };
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The messages of a mux session, as bytes and as values. Integers are big-endian. Most go both
 * ways; the dialer is the tunnel's side, the acceptor the VM's.
 *
 *     0x20 hello    magic u32, version u16, streams u32, window u32
 *     0x21 open     stream u32                  dialer only
 *     0x22 opened   stream u32                  acceptor only
 *     0x23 refused  stream u32, reason u8       acceptor only
 *     0x24 data     stream u32, 1 to 32,768 bytes
 *     0x25 window   stream u32, bytes u32
 *     0x26 end      stream u32
 *     0x27 reset    stream u32
 *     0x28 ping     token u32                   dialer only
 *     0x29 pong     token u32                   acceptor only
 *
 * @module
 */

import { type Bytes, readFields, uint32 } from "../bytes.ts";
import { encodeFrame, type Frame } from "../frame.ts";
import { MAX_MUX_DATA_BYTES, MAX_MUX_SMALL_BYTES } from "./mux_limits.ts";
import { MUX_REFUSALS, type MuxRefusal, ProtocolError } from "../refusal.ts";

export const MUX_VERSION = 1;
/** "OcMx": the output of a shell, or of another service, must not pass for a hello. */
export const MUX_MAGIC = 0x4f63_4d78;

export const MUX_TYPE = {
  hello: 0x20,
  open: 0x21,
  opened: 0x22,
  refused: 0x23,
  data: 0x24,
  window: 0x25,
  end: 0x26,
  reset: 0x27,
  ping: 0x28,
  pong: 0x29,
} as const;

export type MuxRole = "dialer" | "acceptor";

export type MuxMessage =
  | {
    readonly kind: "hello";
    readonly version: number;
    /** How many streams this side lets the other have open at once. */
    readonly streams: number;
    /** What the other side may send on each new stream. */
    readonly windowBytes: number;
  }
  | { readonly kind: "open" | "opened" | "end" | "reset"; readonly stream: number }
  | { readonly kind: "refused"; readonly stream: number; readonly reason: MuxRefusal }
  | { readonly kind: "data"; readonly stream: number; readonly data: Uint8Array }
  | { readonly kind: "window"; readonly stream: number; readonly bytes: number }
  | { readonly kind: "ping" | "pong"; readonly token: number };

const BOTH_WAYS: readonly (readonly [type: number, cap: number])[] = [
  [MUX_TYPE.hello, MAX_MUX_SMALL_BYTES],
  [MUX_TYPE.data, 4 + MAX_MUX_DATA_BYTES],
  [MUX_TYPE.window, MAX_MUX_SMALL_BYTES],
  [MUX_TYPE.end, MAX_MUX_SMALL_BYTES],
  [MUX_TYPE.reset, MAX_MUX_SMALL_BYTES],
];

/** What each side gives its decoder: the types that the other may send. */
export const MUX_CAPS: Readonly<Record<MuxRole, ReadonlyMap<number, number>>> = {
  dialer: new Map([
    ...BOTH_WAYS,
    [MUX_TYPE.opened, MAX_MUX_SMALL_BYTES],
    [MUX_TYPE.refused, MAX_MUX_SMALL_BYTES],
    [MUX_TYPE.pong, MAX_MUX_SMALL_BYTES],
  ]),
  acceptor: new Map([
    ...BOTH_WAYS,
    [MUX_TYPE.open, MAX_MUX_SMALL_BYTES],
    [MUX_TYPE.ping, MAX_MUX_SMALL_BYTES],
  ]),
};

/**
 * @throws {ProtocolError} whatever is wrong with the bytes
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const open = { type: MUX_TYPE.open, untrustedPayload: new Uint8Array([0, 0, 0, 1]) };
 * assertEquals(decodeMux(open), { kind: "open", stream: 1 });
 * ```
 */
export function decodeMux({ type, untrustedPayload }: Frame): MuxMessage {
  const fields = readFields(untrustedPayload);
  const message = decodeFields(type, fields);
  fields.end();
  return message;
}

function decodeFields(type: number, fields: ReturnType<typeof readFields>): MuxMessage {
  const first = fields.uint32();
  switch (type) {
    case MUX_TYPE.hello:
      if (first !== MUX_MAGIC) throw new ProtocolError("bad-frame", "not a mux hello");
      return {
        kind: "hello",
        version: fields.uint16(),
        streams: fields.uint32(),
        windowBytes: fields.uint32(),
      };
    case MUX_TYPE.open:
      return { kind: "open", stream: first };
    case MUX_TYPE.opened:
      return { kind: "opened", stream: first };
    case MUX_TYPE.refused:
      return { kind: "refused", stream: first, reason: parseReason(fields.uint8()) };
    case MUX_TYPE.data: {
      const data = fields.rest();
      if (data.length === 0) throw new ProtocolError("bad-frame", "no data");
      if (data.length > MAX_MUX_DATA_BYTES) throw new ProtocolError("too-long", "data");
      return { kind: "data", stream: first, data };
    }
    case MUX_TYPE.window:
      return { kind: "window", stream: first, bytes: fields.uint32() };
    case MUX_TYPE.end:
      return { kind: "end", stream: first };
    case MUX_TYPE.reset:
      return { kind: "reset", stream: first };
    case MUX_TYPE.ping:
      return { kind: "ping", token: first };
    case MUX_TYPE.pong:
      return { kind: "pong", token: first };
    default:
      throw new ProtocolError("unknown-type", `type ${type} in a mux session`);
  }
}

function parseReason(untrustedByte: number): MuxRefusal {
  const found = MUX_REFUSALS.find(([byte]) => byte === untrustedByte);
  if (found === undefined) throw new ProtocolError("bad-argument", `reason ${untrustedByte}`);
  return found[1];
}

/**
 * A DATA frame without its data.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([...encodeDataHead(1, 2)], [0, 0, 0, 7, MUX_TYPE.data, 0, 0, 0, 1]);
 * ```
 */
export function encodeDataHead(stream: number, bytes: number): Bytes {
  if (!(bytes >= 1 && bytes <= MAX_MUX_DATA_BYTES)) throw new Error(`bug: ${bytes} bytes of data`);
  const head = new Uint8Array(9);
  const view = new DataView(head.buffer);
  view.setUint32(0, 1 + 4 + bytes);
  view.setUint8(4, MUX_TYPE.data);
  view.setUint32(5, stream);
  return head;
}

/**
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([...encodeMux({ kind: "end", stream: 1 })], [0, 0, 0, 5, MUX_TYPE.end, 0, 0, 0, 1]);
 * ```
 */
export function encodeMux(message: MuxMessage): Bytes {
  switch (message.kind) {
    case "hello": {
      const { version, streams, windowBytes } = message;
      const versionBytes = new Uint8Array([version >> 8, version & 0xff]);
      const head = [uint32(MUX_MAGIC), versionBytes, uint32(streams), uint32(windowBytes)];
      return encodeFrame(MUX_TYPE.hello, ...head);
    }
    case "refused": {
      const byte = MUX_REFUSALS.find(([, word]) => word === message.reason)?.[0] ?? 0;
      return encodeFrame(MUX_TYPE.refused, uint32(message.stream), new Uint8Array([byte]));
    }
    case "data":
      return encodeFrame(MUX_TYPE.data, uint32(message.stream), message.data);
    case "window":
      return encodeFrame(MUX_TYPE.window, uint32(message.stream), uint32(message.bytes));
    case "ping":
    case "pong":
      return encodeFrame(MUX_TYPE[message.kind], uint32(message.token));
    default:
      return encodeFrame(MUX_TYPE[message.kind], uint32(message.stream));
  }
}

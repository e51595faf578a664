// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The messages of a session, as bytes and as values. Integers are big-endian; `seq` is the
 * request's number in this session, counted from 1 by the VM.
 *
 *     dom0 to VM                              VM to dom0
 *     0x01 hello     version u16, name        0x81 hello       version u16
 *     0x02 credit    count u16                0x82 request     seq u32, envelope
 *     0x03 ping      token u32                0x83 request-v1  seq u32, id length u8, id,
 *     0x04 accepted  seq u32                                   token (64 characters), body
 *     0x05 output    seq u32, stream u8,      0x84 cancel      seq u32
 *                    offset u32, data         0x85 window      seq u32, bytes u32
 *     0x06 outcome   seq u32, mac (32), meta  0x86 ack         seq u32
 *     0x07 capabilities  words                0x87 pong        token u32
 *     0x08 parked    seq u32                  0x88 capabilities  words
 *     0x09 pull      seq u32, offset u64,     0x89 payload     seq u32, offset u64, data
 *                    bytes u32                0x8a chunk       seq u32, offset u64, chunk
 *     0x0a want      seq u32, offset u64                       (see live/chunk.ts)
 *     0x0b enough    seq u32
 *
 * What an operator asks outside a session (service argument) is answered by one frame:
 *
 *     0x90 key       64 characters
 *     0x91 report    pending u32, running u32, results u32, removed u32
 *     0x92 listing   per entry: folder u8, size u32, name length u8, name
 *
 * @module
 */

import {
  asLatin1,
  type Bytes,
  parseUtf8,
  readFields,
  uint32,
  uint64,
  utf8,
  utf8Prefix,
} from "./bytes.ts";
import { encodeCapabilities, parseCapabilities } from "./capability.ts";
import { CHUNK_HEAD_BYTES, parseChunk, type UnverifiedChunk } from "./live/chunk.ts";
import { parseEnvelope, type UnverifiedRequest } from "./envelope.ts";
import { encodeFrame, fillFrame, type Frame, FRAME_HEAD_BYTES } from "./frame.ts";
import {
  MAX_BODY_BYTES,
  MAX_CHUNK_BYTES,
  MAX_ENVELOPE_BYTES,
  MAX_LISTED_NAME_BYTES,
  MAX_LISTING_BYTES,
  MAX_META_BYTES,
  MAX_PAYLOAD_CHUNK_BYTES,
  MAX_SMALL_FRAME_BYTES,
  MAX_WIDE_OUTPUT_CHUNK_BYTES,
} from "./limits.ts";
import { MAC_BYTES } from "./mac.ts";
import { encodeMeta, isOfVm, type Outcome, parseMeta } from "./outcome.ts";
import { ProtocolError } from "./refusal.ts";
import { parseV1Id } from "./request_id.ts";
import type { UnverifiedV1Request } from "./v1.ts";
import { parseVmName, type VmName } from "./vm_name.ts";

export const PROTOCOL_VERSION = 2;
/**
 * The token of the ping with which dom0 asks for capabilities. A VM that knows them answers with
 * them, one that does not with a pong; all other pings count from 1.
 */
export const CAPABILITY_PING = 0;

const TYPE = {
  hello: 0x01,
  credit: 0x02,
  ping: 0x03,
  accepted: 0x04,
  output: 0x05,
  outcome: 0x06,
  capabilities: 0x07,
  parked: 0x08,
  pull: 0x09,
  want: 0x0a,
  enough: 0x0b,
  vmHello: 0x81,
  request: 0x82,
  requestV1: 0x83,
  cancel: 0x84,
  window: 0x85,
  ack: 0x86,
  pong: 0x87,
  vmCapabilities: 0x88,
  payload: 0x89,
  chunk: 0x8a,
  key: 0x90,
  report: 0x91,
  listing: 0x92,
} as const;

/** Where a command's output goes: 1 is stdout, 2 is stderr. */
export type StreamNumber = 1 | 2;

export type FromDom0 =
  | { readonly kind: "hello"; readonly version: number; readonly vm: VmName }
  | { readonly kind: "credit"; readonly count: number }
  | { readonly kind: "ping"; readonly token: number }
  | { readonly kind: "accepted"; readonly seq: number }
  /** It waits for a person. */
  | { readonly kind: "parked"; readonly seq: number }
  | {
    readonly kind: "output";
    readonly seq: number;
    readonly stream: StreamNumber;
    readonly offset: number;
    readonly data: Uint8Array;
  }
  | {
    readonly kind: "outcome";
    readonly seq: number;
    readonly mac: Uint8Array;
    readonly outcome: Outcome;
  }
  /** Of the payload, these bytes are to be sent. */
  | {
    readonly kind: "pull";
    readonly seq: number;
    readonly offset: number;
    readonly bytes: number;
  }
  /** It has all of the live stream before that, and wants what follows. */
  | { readonly kind: "want"; readonly seq: number; readonly offset: number }
  /** Nobody reads the live stream any more. */
  | { readonly kind: "enough"; readonly seq: number }
  | { readonly kind: "capabilities"; readonly words: readonly string[] };

export type FromVm =
  | { readonly kind: "hello"; readonly version: number }
  | { readonly kind: "request"; readonly seq: number; readonly request: UnverifiedRequest }
  | { readonly kind: "request-v1"; readonly seq: number; readonly request: UnverifiedV1Request }
  | { readonly kind: "cancel"; readonly seq: number }
  | { readonly kind: "window"; readonly seq: number; readonly bytes: number }
  | { readonly kind: "ack"; readonly seq: number }
  | { readonly kind: "pong"; readonly token: number }
  /** No data: the rest cannot be read. */
  | {
    readonly kind: "payload";
    readonly seq: number;
    readonly offset: number;
    readonly data: Uint8Array;
  }
  | ({ readonly kind: "chunk"; readonly seq: number } & UnverifiedChunk)
  | { readonly kind: "capabilities"; readonly words: readonly string[] };

/** The folders of a VM's queue, in the order of their numbers on the wire. */
export const QUEUE_FOLDERS = ["pending", "running", "results", "cancel"] as const;
export type QueueFolder = typeof QUEUE_FOLDERS[number];

export interface QueueReport {
  readonly pending: number;
  readonly running: number;
  readonly results: number;
  /** What the call itself took away or ended. */
  readonly removed: number;
}

export interface QueueEntry {
  readonly folder: QueueFolder;
  readonly bytes: number;
  /** Any text a file name may be: printable() comes next. */
  readonly untrustedName: string;
}

/** What dom0 gives a decoder for a session. */
export const CAPS_FROM_VM: ReadonlyMap<number, number> = new Map([
  [TYPE.vmHello, MAX_SMALL_FRAME_BYTES],
  [TYPE.request, 4 + MAX_ENVELOPE_BYTES],
  [TYPE.requestV1, MAX_SMALL_FRAME_BYTES + MAX_BODY_BYTES],
  [TYPE.cancel, MAX_SMALL_FRAME_BYTES],
  [TYPE.window, MAX_SMALL_FRAME_BYTES],
  [TYPE.ack, MAX_SMALL_FRAME_BYTES],
  [TYPE.pong, MAX_SMALL_FRAME_BYTES],
  [TYPE.vmCapabilities, MAX_SMALL_FRAME_BYTES],
  [TYPE.payload, 4 + 8 + MAX_PAYLOAD_CHUNK_BYTES],
  [TYPE.chunk, 4 + 8 + CHUNK_HEAD_BYTES + MAX_CHUNK_BYTES],
]);

/** What dom0 is done with before it reads on; requests it keeps. */
export const isLentToDom0 = (type: number): boolean => type === TYPE.payload;

/** What dom0 gives a decoder for an operator's question. */
export const CAPS_OF_ANSWER: ReadonlyMap<number, number> = new Map([
  [TYPE.key, MAX_SMALL_FRAME_BYTES],
  [TYPE.report, MAX_SMALL_FRAME_BYTES],
  [TYPE.listing, MAX_LISTING_BYTES],
]);

/** What the VM gives its decoder. */
export const CAPS_FROM_DOM0: ReadonlyMap<number, number> = new Map([
  [TYPE.hello, MAX_SMALL_FRAME_BYTES],
  [TYPE.credit, MAX_SMALL_FRAME_BYTES],
  [TYPE.ping, MAX_SMALL_FRAME_BYTES],
  [TYPE.accepted, MAX_SMALL_FRAME_BYTES],
  [TYPE.output, 4 + 1 + 4 + MAX_WIDE_OUTPUT_CHUNK_BYTES],
  [TYPE.outcome, 4 + MAC_BYTES + MAX_META_BYTES],
  [TYPE.capabilities, MAX_SMALL_FRAME_BYTES],
  [TYPE.parked, MAX_SMALL_FRAME_BYTES],
  [TYPE.pull, MAX_SMALL_FRAME_BYTES],
  [TYPE.want, MAX_SMALL_FRAME_BYTES],
  [TYPE.enough, MAX_SMALL_FRAME_BYTES],
]);

/**
 * @throws {ProtocolError} whatever is wrong with the bytes
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const ack = { type: 0x86, untrustedPayload: new Uint8Array([0, 0, 0, 7]) };
 * assertEquals(decodeFromVm(ack), { kind: "ack", seq: 7 });
 * ```
 */
export function decodeFromVm({ type, untrustedPayload }: Frame): FromVm {
  const fields = readFields(untrustedPayload);
  const message = decodeVmFields(type, fields);
  fields.end();
  return message;
}

function decodeVmFields(type: number, fields: ReturnType<typeof readFields>): FromVm {
  if (type === TYPE.vmHello) return { kind: "hello", version: fields.uint16() };
  if (type === TYPE.pong) return { kind: "pong", token: fields.uint32() };
  if (type === TYPE.vmCapabilities) {
    return { kind: "capabilities", words: parseCapabilities(fields.rest()) };
  }
  const seq = fields.uint32();
  switch (type) {
    case TYPE.request:
      return { kind: "request", seq, request: parseEnvelope(fields.rest()) };
    case TYPE.requestV1: {
      const id = parseV1Id(asLatin1(fields.bytes(fields.uint8())));
      const untrustedToken = asLatin1(fields.bytes(2 * MAC_BYTES));
      if (!/^[0-9a-f]{64}$/.test(untrustedToken)) throw new ProtocolError("bad-argument", "token");
      const body = fields.rest().slice();
      if (body.length > MAX_BODY_BYTES) throw new ProtocolError("too-long", "body");
      return { kind: "request-v1", seq, request: { id, untrustedToken, body } };
    }
    case TYPE.cancel:
      return { kind: "cancel", seq };
    case TYPE.window:
      return { kind: "window", seq, bytes: fields.uint32() };
    case TYPE.ack:
      return { kind: "ack", seq };
    case TYPE.payload:
      return { kind: "payload", seq, offset: fields.uint64(), data: fields.rest() };
    case TYPE.chunk:
      return { kind: "chunk", seq, ...parseChunk(fields.uint64(), fields.rest()) };
    default:
      throw new ProtocolError("unknown-type", `type ${type} from a VM`);
  }
}

/**
 * @throws {ProtocolError} whatever is wrong with the bytes
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const credit = { type: 0x02, untrustedPayload: new Uint8Array([0, 4]) };
 * assertEquals(decodeFromDom0(credit), { kind: "credit", count: 4 });
 * ```
 */
export function decodeFromDom0({ type, untrustedPayload }: Frame): FromDom0 {
  const fields = readFields(untrustedPayload);
  const message = decodeDom0Fields(type, fields);
  fields.end();
  return message;
}

function decodeDom0Fields(type: number, fields: ReturnType<typeof readFields>): FromDom0 {
  switch (type) {
    case TYPE.hello:
      return { kind: "hello", version: fields.uint16(), vm: parseVmName(asLatin1(fields.rest())) };
    case TYPE.credit:
      return { kind: "credit", count: fields.uint16() };
    case TYPE.ping:
      return { kind: "ping", token: fields.uint32() };
    case TYPE.accepted:
      return { kind: "accepted", seq: fields.uint32() };
    case TYPE.parked:
      return { kind: "parked", seq: fields.uint32() };
    case TYPE.pull: {
      const [seq, offset, bytes] = [fields.uint32(), fields.uint64(), fields.uint32()];
      return { kind: "pull", seq, offset, bytes };
    }
    case TYPE.want:
      return { kind: "want", seq: fields.uint32(), offset: fields.uint64() };
    case TYPE.enough:
      return { kind: "enough", seq: fields.uint32() };
    case TYPE.output: {
      const [seq, stream, offset] = [fields.uint32(), fields.uint8(), fields.uint32()];
      if (stream !== 1 && stream !== 2) throw new ProtocolError("bad-frame", "stream number");
      return { kind: "output", seq, stream, offset, data: fields.rest() };
    }
    case TYPE.outcome: {
      const [seq, mac] = [fields.uint32(), fields.bytes(MAC_BYTES)];
      const outcome = parseMeta(fields.rest());
      if (isOfVm(outcome)) throw new ProtocolError("bad-meta", "an outcome of the VM's own");
      return { kind: "outcome", seq, mac, outcome };
    }
    case TYPE.capabilities:
      return { kind: "capabilities", words: parseCapabilities(fields.rest()) };
    default:
      throw new ProtocolError("unknown-type", `type ${type} from dom0`);
  }
}

/**
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([...encodeFromDom0({ kind: "credit", count: 4 })], [0, 0, 0, 3, 2, 0, 4]);
 * ```
 */
export function encodeFromDom0(message: FromDom0): Bytes {
  switch (message.kind) {
    case "hello":
      return encodeFrame(TYPE.hello, uint16(message.version), utf8(message.vm));
    case "credit":
      return encodeFrame(TYPE.credit, uint16(message.count));
    case "ping":
      return encodeFrame(TYPE.ping, uint32(message.token));
    case "accepted":
      return encodeFrame(TYPE.accepted, uint32(message.seq));
    case "parked":
      return encodeFrame(TYPE.parked, uint32(message.seq));
    case "pull": {
      const { seq, offset, bytes } = message;
      return encodeFrame(TYPE.pull, uint32(seq), uint64(offset), uint32(bytes));
    }
    case "want":
      return encodeFrame(TYPE.want, uint32(message.seq), uint64(message.offset));
    case "enough":
      return encodeFrame(TYPE.enough, uint32(message.seq));
    case "output": {
      const { seq, stream, offset, data } = message;
      return encodeFrame(TYPE.output, uint32(seq), new Uint8Array([stream]), uint32(offset), data);
    }
    case "outcome": {
      const { seq, mac, outcome } = message;
      return encodeFrame(TYPE.outcome, uint32(seq), mac, utf8(encodeMeta(outcome)));
    }
    case "capabilities":
      return encodeFrame(TYPE.capabilities, encodeCapabilities(message.words));
  }
}

/** Room before a chunk, for what makes a frame of it. */
export const CHUNK_ROOM_BYTES = FRAME_HEAD_BYTES + 4 + 8;

/** A request and a chunk are sent as the bytes of their files: only dom0 reads what is in them. */
export type ToDom0 =
  | Exclude<FromVm, { kind: "request" | "request-v1" | "chunk" }>
  | {
    readonly kind: "chunk";
    readonly seq: number;
    readonly offset: number;
    /** CHUNK_ROOM_BYTES, then the bytes of its file; it becomes the frame. */
    readonly wire: Bytes;
  }
  | { readonly kind: "request"; readonly seq: number; readonly envelope: Uint8Array }
  | { readonly kind: "request-v1"; readonly seq: number; readonly request: UnverifiedV1Request };

/**
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([...encodeFromVm({ kind: "ack", seq: 7 })], [0, 0, 0, 5, 0x86, 0, 0, 0, 7]);
 * ```
 */
export function encodeFromVm(message: ToDom0): Bytes {
  switch (message.kind) {
    case "hello":
      return encodeFrame(TYPE.vmHello, uint16(message.version));
    case "request":
      return encodeFrame(TYPE.request, uint32(message.seq), message.envelope);
    case "request-v1": {
      const { id, untrustedToken, body } = message.request;
      const head = [uint32(message.seq), new Uint8Array([id.length]), utf8(id)];
      return encodeFrame(TYPE.requestV1, ...head, utf8(untrustedToken), body);
    }
    case "cancel":
      return encodeFrame(TYPE.cancel, uint32(message.seq));
    case "window":
      return encodeFrame(TYPE.window, uint32(message.seq), uint32(message.bytes));
    case "ack":
      return encodeFrame(TYPE.ack, uint32(message.seq));
    case "pong":
      return encodeFrame(TYPE.pong, uint32(message.token));
    case "payload":
      return encodeFrame(TYPE.payload, uint32(message.seq), uint64(message.offset), message.data);
    case "chunk":
      return fillFrame(message.wire, TYPE.chunk, uint32(message.seq), uint64(message.offset));
    case "capabilities":
      return encodeFrame(TYPE.vmCapabilities, encodeCapabilities(message.words));
  }
}

export type Answer =
  | { readonly kind: "key"; readonly untrustedText: string }
  | ({ readonly kind: "report" } & QueueReport)
  | { readonly kind: "listing"; readonly entries: readonly QueueEntry[] };

/**
 * @throws {ProtocolError} whatever is wrong with the bytes
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const untrustedPayload = new TextEncoder().encode("0".repeat(64));
 * assertEquals(decodeAnswer({ type: 0x90, untrustedPayload }).kind, "key");
 * ```
 */
export function decodeAnswer({ type, untrustedPayload }: Frame): Answer {
  const fields = readFields(untrustedPayload);
  switch (type) {
    case TYPE.key:
      return { kind: "key", untrustedText: parseUtf8(untrustedPayload) };
    case TYPE.report: {
      const [pending, running] = [fields.uint32(), fields.uint32()];
      const [results, removed] = [fields.uint32(), fields.uint32()];
      fields.end();
      return { kind: "report", pending, running, results, removed };
    }
    case TYPE.listing: {
      const entries: QueueEntry[] = [];
      for (let left = untrustedPayload.length; left > 0;) {
        const folder = QUEUE_FOLDERS[fields.uint8()];
        if (folder === undefined) throw new ProtocolError("bad-frame", "folder number");
        const [bytes, nameBytes] = [fields.uint32(), fields.uint8()];
        if (nameBytes > MAX_LISTED_NAME_BYTES) throw new ProtocolError("too-long", "name");
        entries.push({ folder, bytes, untrustedName: parseUtf8(fields.bytes(nameBytes)) });
        left -= 6 + nameBytes;
      }
      return { kind: "listing", entries };
    }
    default:
      throw new ProtocolError("unknown-type", `type ${type} in an answer`);
  }
}

/**
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const frame = encodeAnswer({ kind: "key", untrustedText: "0".repeat(64) });
 * assertEquals(frame.length, 4 + 1 + 64);
 * ```
 */
export function encodeAnswer(answer: Answer): Bytes {
  switch (answer.kind) {
    case "key":
      return encodeFrame(TYPE.key, utf8(answer.untrustedText));
    case "report": {
      const { pending, running, results, removed } = answer;
      return encodeFrame(TYPE.report, ...[pending, running, results, removed].map(uint32));
    }
    case "listing":
      return encodeFrame(TYPE.listing, ...answer.entries.flatMap(encodeEntry));
  }
}

function encodeEntry({ folder, bytes, untrustedName }: QueueEntry): Uint8Array[] {
  const name = utf8Prefix(untrustedName, MAX_LISTED_NAME_BYTES);
  const size = Math.min(bytes, 0xffff_ffff);
  return [
    new Uint8Array([QUEUE_FOLDERS.indexOf(folder)]),
    uint32(size),
    new Uint8Array([name.length]),
    name,
  ];
}

function uint16(value: number): Bytes {
  return new Uint8Array([value >> 8, value & 0xff]);
}

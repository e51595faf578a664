// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Many connections over one byte stream, seen from either side. The dialer (the tunnel) opens
 * streams; the acceptor (in the VM) connects each to its one port, or refuses.
 *
 *     dialer                                    acceptor
 *      | -- hello { magic, version, 0, window } --> |
 *      | <- hello { magic, version, streams, ...} - |
 *      | -- open { stream } ----------------------> |   1, 2, 3 ...
 *      | -- data, end ----------------------------> |   within the first window, at once
 *      | <- opened, or refused { reason } --------- |   refused is answered by reset
 *      | <- data { stream, bytes } ---------------> |   at most the window not yet returned
 *      | <- window { stream, bytes } -------------> |   that much may be sent as well
 *      | <- end { stream } -----------------------> |   half-close; with both the stream is gone
 *      | <- reset { stream } ---------------------> |   answered by reset: then it is gone
 *      | -- ping { token } -----------------------> |
 *      | <- pong { token } ------------------------ |
 *
 * Anything else ends the session. Pure: it makes and checks messages; MUX.md has every rule.
 *
 * @module
 */

import type { Bytes } from "../bytes.ts";
import type { Frame } from "../frame.ts";
import { MAX_MUX_STREAMS, MAX_MUX_WINDOW_BYTES, MUX_FIRST_WINDOW_BYTES } from "./mux_limits.ts";
import {
  decodeMux,
  encodeDataHead,
  encodeMux,
  MUX_VERSION,
  type MuxMessage,
  type MuxRole,
} from "./mux_message.ts";
import {
  addStream,
  createMuxStreams,
  flowing,
  forget,
  type MuxStreams,
  sendable,
  unanswered,
  usable,
  wasOpened,
} from "./mux_streams.ts";
import { type MuxRefusal, ProtocolError } from "../refusal.ts";

/** What a message, once checked, asks of this side. */
export type MuxEvent =
  | { readonly kind: "ready" }
  | { readonly kind: "open" | "opened" | "room" | "end"; readonly stream: number }
  | {
    readonly kind: "refused";
    readonly stream: number;
    readonly reason: MuxRefusal;
    readonly reply: Bytes;
  }
  | { readonly kind: "data"; readonly stream: number; readonly data: Uint8Array }
  | { readonly kind: "reset"; readonly stream: number; readonly reply: Bytes }
  | { readonly kind: "ping"; readonly reply: Bytes }
  /** A sign of life, and nothing to do. */
  | { readonly kind: "alive" };

export interface MuxSession {
  hello(): Bytes;
  /** @throws {ProtocolError} on anything but what the drawing allows; the session is over */
  receive(frame: Frame): MuxEvent;
  /** Whether open() may be called: hellos exchanged, ids left, and a stream free. */
  mayOpen(): boolean;
  open(): { readonly stream: number; readonly frame: Bytes };
  /** null: the other side has given the stream up meanwhile. The same holds for the next methods. */
  opened(stream: number): Bytes | null;
  refused(stream: number, reason: MuxRefusal): Bytes | null;
  /** Bytes that may be sent now on this stream; 0 when it is gone. */
  room(stream: number): number;
  /** What goes in front of that many bytes: with them it is a frame, and may be sent. */
  dataHead(stream: number, bytes: number): Bytes;
  /** That many received bytes are written on; the credit for them, when it is worth a frame. */
  consumed(stream: number, bytes: number): Bytes | null;
  end(stream: number): Bytes | null;
  reset(stream: number): Bytes | null;
  /** null while the last one is unanswered. */
  ping(): Bytes | null;
  /** Streams that this side still knows. */
  openStreams(): number;
}

/**
 * @example
 * ```ts
 * import { assert, assertEquals } from "@std/assert";
 * import { createFrameDecoder } from "../frame.ts";
 * import { MUX_CAPS } from "./mux_message.ts";
 *
 * const [dialer, acceptor] = [createMuxSession("dialer"), createMuxSession("acceptor")];
 * for (const frame of createFrameDecoder(MUX_CAPS.dialer).push(acceptor.hello())) {
 *   assertEquals(dialer.receive(frame).kind, "ready");
 * }
 * assert(dialer.mayOpen());
 * ```
 */
export function createMuxSession(role: MuxRole): MuxSession {
  const state: State = { streams: createMuxStreams(role), ready: false, pings: 0, pongs: 0 };
  const { streams } = state;
  return {
    hello: () => hello(streams),
    receive: (frame) => receive(state, decodeMux(frame)),
    mayOpen: () => state.ready && streams.known.size < streams.most && streams.lastId < 0xffff_ffff,
    open() {
      const stream = streams.lastId + 1;
      addStream(streams, stream);
      return { stream, frame: encodeMux({ kind: "open", stream }) };
    },
    opened(stream) {
      const known = usable(streams, stream);
      if (known === undefined) return null;
      known.opened = true;
      return encodeMux({ kind: "opened", stream });
    },
    refused(stream, reason) {
      const known = usable(streams, stream);
      if (known === undefined) return null;
      known.sentReset = true;
      return encodeMux({ kind: "refused", stream, reason });
    },
    room: (stream) => sendable(streams, stream)?.credit ?? 0,
    dataHead: (stream, bytes) => dataHead(streams, stream, bytes),
    consumed(stream, count) {
      const known = usable(streams, stream);
      const bytes = known?.opened ? known.window.consume(count, known.gotEnd) : 0;
      return bytes === 0 ? null : encodeMux({ kind: "window", stream, bytes });
    },
    end(stream) {
      const known = sendable(streams, stream);
      if (known === undefined) return null;
      known.sentEnd = true;
      if (known.gotEnd) forget(streams, stream);
      return encodeMux({ kind: "end", stream });
    },
    reset(stream) {
      const known = usable(streams, stream);
      if (known === undefined) return null;
      known.sentReset = true;
      return encodeMux({ kind: "reset", stream });
    },
    ping: () => ping(state),
    openStreams: () => streams.known.size,
  };
}

interface State {
  readonly streams: MuxStreams;
  /** Both hellos were said. */
  ready: boolean;
  pings: number;
  pongs: number;
}

function hello({ role, most }: MuxStreams): Bytes {
  return encodeMux({
    kind: "hello",
    version: MUX_VERSION,
    streams: role === "acceptor" ? most : 0,
    windowBytes: MUX_FIRST_WINDOW_BYTES,
  });
}

function dataHead(streams: MuxStreams, stream: number, bytes: number): Bytes {
  const known = sendable(streams, stream);
  if (known === undefined || bytes > known.credit) {
    throw new Error(`bug: ${bytes} bytes on stream ${stream}`);
  }
  known.credit -= bytes;
  return encodeDataHead(stream, bytes);
}

function ping(state: State): Bytes | null {
  if (!state.ready || state.pings !== state.pongs) return null;
  state.pings = (state.pings + 1) >>> 0;
  return encodeMux({ kind: "ping", token: state.pings });
}

function receive(state: State, message: MuxMessage): MuxEvent {
  const { streams, ready } = state;
  if (ready === (message.kind === "hello")) {
    throw new ProtocolError("unexpected", ready ? "second hello" : `${message.kind}, no hello`);
  }
  switch (message.kind) {
    case "hello":
      return receiveHello(state, message);
    case "open":
      return receiveOpen(streams, message.stream);
    case "opened":
      return receiveOpened(streams, message.stream);
    case "refused":
      return receiveRefused(streams, message.stream, message.reason);
    case "data":
      return receiveData(streams, message.stream, message.data);
    case "window":
      return receiveWindow(streams, message.stream, message.bytes);
    case "end":
      return receiveEnd(streams, message.stream);
    case "reset":
      return receiveReset(streams, message.stream);
    case "ping":
      return { kind: "ping", reply: encodeMux({ kind: "pong", token: message.token }) };
    case "pong":
      if (state.pings !== state.pongs + 1 || message.token !== state.pings) {
        throw new ProtocolError("unexpected", `pong ${message.token}`);
      }
      state.pongs++;
      return { kind: "alive" };
    default:
      return message satisfies never;
  }
}

function receiveHello(state: State, message: Extract<MuxMessage, { kind: "hello" }>): MuxEvent {
  const { streams } = state;
  if (message.version !== MUX_VERSION) {
    throw new ProtocolError("bad-version", `mux version ${message.version}`);
  }
  const fits = streams.role === "acceptor"
    ? message.streams === 0
    : message.streams >= 1 && message.streams <= MAX_MUX_STREAMS;
  if (!fits) throw new ProtocolError("bad-argument", `${message.streams} streams`);
  if (message.windowBytes < 1 || message.windowBytes > MAX_MUX_WINDOW_BYTES) {
    throw new ProtocolError("bad-argument", `a window of ${message.windowBytes} bytes`);
  }
  if (streams.role === "dialer") streams.most = message.streams;
  streams.firstCredit = message.windowBytes;
  state.ready = true;
  return { kind: "ready" };
}

function receiveOpen(streams: MuxStreams, stream: number): MuxEvent {
  if (stream !== streams.lastId + 1) {
    throw new ProtocolError("unexpected", `stream ${stream} after ${streams.lastId}`);
  }
  if (streams.known.size >= streams.most) throw new ProtocolError("no-credit", "too many streams");
  addStream(streams, stream);
  return { kind: "open", stream };
}

function receiveOpened(streams: MuxStreams, stream: number): MuxEvent {
  const known = unanswered(streams, stream);
  known.opened = true;
  return known.sentReset ? { kind: "alive" } : { kind: "opened", stream };
}

/** Data may be on its way: the reset tells the acceptor that nothing more comes. */
function receiveRefused(streams: MuxStreams, stream: number, reason: MuxRefusal): MuxEvent {
  const known = unanswered(streams, stream);
  forget(streams, stream);
  if (known.sentReset) return { kind: "alive" };
  return { kind: "refused", stream, reason, reply: encodeMux({ kind: "reset", stream }) };
}

function receiveData(streams: MuxStreams, stream: number, data: Uint8Array): MuxEvent {
  const known = flowing(streams, stream);
  known.window.receive(data.length);
  return known.sentReset ? { kind: "alive" } : { kind: "data", stream, data };
}

function receiveWindow(streams: MuxStreams, stream: number, bytes: number): MuxEvent {
  wasOpened(streams, stream);
  if (bytes === 0) throw new ProtocolError("bad-argument", "a window of nothing");
  const known = streams.known.get(stream);
  if (known === undefined) return { kind: "alive" }; // it crossed the end of the stream
  if (!known.opened) throw new ProtocolError("unexpected", "window before opened");
  known.credit += bytes;
  if (known.credit > MAX_MUX_WINDOW_BYTES) {
    throw new ProtocolError("bad-argument", `credit of ${known.credit} bytes`);
  }
  return known.sentReset ? { kind: "alive" } : { kind: "room", stream };
}

function receiveEnd(streams: MuxStreams, stream: number): MuxEvent {
  const known = flowing(streams, stream);
  known.gotEnd = true;
  if (known.sentEnd) forget(streams, stream);
  return known.sentReset ? { kind: "alive" } : { kind: "end", stream };
}

function receiveReset(streams: MuxStreams, stream: number): MuxEvent {
  wasOpened(streams, stream);
  const known = streams.known.get(stream);
  if (known === undefined) return { kind: "alive" }; // it crossed the end of the stream
  if (streams.role === "dialer" && !known.opened && !known.sentReset) {
    throw new ProtocolError("unexpected", "reset in place of refused");
  }
  forget(streams, stream);
  if (known.sentReset) return { kind: "alive" };
  return { kind: "reset", stream, reply: encodeMux({ kind: "reset", stream }) };
}

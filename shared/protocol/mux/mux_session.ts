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
import {
  MAX_MUX_STREAMS,
  MAX_MUX_WINDOW_BYTES,
  MUX_FIRST_WINDOW_BYTES,
  MUX_STREAMS,
} from "./mux_limits.ts";
import {
  decodeMux,
  encodeDataHead,
  encodeMux,
  MUX_VERSION,
  type MuxMessage,
  type MuxRole,
} from "./mux_message.ts";
import { createWindowBudget, type Window } from "./mux_window.ts";
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

interface Stream {
  opened: boolean;
  sentEnd: boolean;
  gotEnd: boolean;
  /** Reset, or refused: what still comes is taken and dropped, until the other's reset. */
  sentReset: boolean;
  /** Bytes that may be sent. */
  credit: number;
  readonly window: Window;
}

export interface MuxSession {
  hello(): Bytes;
  /** @throws {ProtocolError} on anything but what the drawing allows; the session is over */
  receive(frame: Frame): MuxEvent;
  /** Whether open() may be called: hellos exchanged, ids left, and a stream free. */
  mayOpen(): boolean;
  open(): { readonly stream: number; readonly frame: Bytes };
  /** null: the other side has given the stream up meanwhile. The same for those below. */
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
  /** Streams of which this side has not forgotten everything. */
  openStreams(): number;
}

export function createMuxSession(role: MuxRole): MuxSession {
  const streams = new Map<number, Stream>();
  const budget = createWindowBudget();
  let ready = false;
  let lastStream = 0;
  let maxStreams = role === "acceptor" ? MUX_STREAMS : 0;
  let firstCredit = 0;
  let [pings, pongs] = [0, 0];

  const add = (stream: number): void => {
    lastStream = stream;
    streams.set(stream, {
      ...{ opened: false, sentEnd: false, gotEnd: false, sentReset: false },
      credit: firstCredit,
      window: budget.newWindow(),
    });
  };
  const forget = (stream: number): void => {
    streams.get(stream)?.window.close();
    streams.delete(stream);
  };
  /** A stream on which data may come: not ended by the other side, and opened if it must be. */
  const flowing = (stream: number): Stream => {
    const known = streams.get(stream);
    const mayFlow = role === "acceptor" || known?.opened;
    if (known === undefined || !mayFlow || known.gotEnd) {
      throw new ProtocolError("unexpected", `nothing may come on stream ${stream}`);
    }
    return known;
  };
  const wasOpened = (stream: number): void => {
    if (stream === 0 || stream > lastStream) {
      throw new ProtocolError("unexpected", `stream ${stream} was never opened`);
    }
  };
  const receiveHello = (message: Extract<MuxMessage, { kind: "hello" }>): MuxEvent => {
    if (message.version !== MUX_VERSION) {
      throw new ProtocolError("bad-version", `mux version ${message.version}`);
    }
    const fits = role === "acceptor"
      ? message.streams === 0
      : message.streams >= 1 && message.streams <= MAX_MUX_STREAMS;
    if (!fits) throw new ProtocolError("bad-argument", `${message.streams} streams`);
    if (message.windowBytes < 1 || message.windowBytes > MAX_MUX_WINDOW_BYTES) {
      throw new ProtocolError("bad-argument", `a window of ${message.windowBytes} bytes`);
    }
    if (role === "dialer") maxStreams = message.streams;
    firstCredit = message.windowBytes;
    ready = true;
    return { kind: "ready" };
  };

  const receiveData = (stream: number, data: Uint8Array): MuxEvent => {
    const known = flowing(stream);
    known.window.receive(data.length);
    return known.sentReset ? { kind: "alive" } : { kind: "data", stream, data };
  };

  const receiveWindow = (stream: number, bytes: number): MuxEvent => {
    wasOpened(stream);
    if (bytes === 0) throw new ProtocolError("bad-argument", "a window of nothing");
    const known = streams.get(stream);
    if (known === undefined) return { kind: "alive" }; // it crossed the end of the stream
    if (!known.opened) throw new ProtocolError("unexpected", "window before opened");
    known.credit += bytes;
    if (known.credit > MAX_MUX_WINDOW_BYTES) {
      throw new ProtocolError("bad-argument", `credit of ${known.credit} bytes`);
    }
    return known.sentReset ? { kind: "alive" } : { kind: "room", stream };
  };

  const receiveEnd = (stream: number): MuxEvent => {
    const known = flowing(stream);
    known.gotEnd = true;
    if (known.sentEnd) forget(stream);
    return known.sentReset ? { kind: "alive" } : { kind: "end", stream };
  };

  const receiveReset = (stream: number): MuxEvent => {
    wasOpened(stream);
    const known = streams.get(stream);
    if (known === undefined) return { kind: "alive" }; // it crossed the end of the stream
    if (role === "dialer" && !known.opened && !known.sentReset) {
      throw new ProtocolError("unexpected", "reset in place of refused");
    }
    forget(stream);
    if (known.sentReset) return { kind: "alive" };
    return { kind: "reset", stream, reply: encodeMux({ kind: "reset", stream }) };
  };

  const receiveOpen = (stream: number): MuxEvent => {
    if (stream !== lastStream + 1) {
      throw new ProtocolError("unexpected", `stream ${stream} after ${lastStream}`);
    }
    if (streams.size >= maxStreams) throw new ProtocolError("no-credit", "too many streams");
    add(stream);
    return { kind: "open", stream };
  };

  /** One that was asked for and not yet answered. */
  const unanswered = (stream: number): Stream => {
    const known = streams.get(stream);
    if (known === undefined || known.opened) {
      throw new ProtocolError("unexpected", `stream ${stream} is not being opened`);
    }
    return known;
  };

  const receiveOpened = (stream: number): MuxEvent => {
    const known = unanswered(stream);
    known.opened = true;
    return known.sentReset ? { kind: "alive" } : { kind: "opened", stream };
  };

  /** Data may be on its way: the reset tells the acceptor that nothing more comes. */
  const receiveRefused = (stream: number, reason: MuxRefusal): MuxEvent => {
    const known = unanswered(stream);
    forget(stream);
    if (known.sentReset) return { kind: "alive" };
    return { kind: "refused", stream, reason, reply: encodeMux({ kind: "reset", stream }) };
  };

  const receive = (frame: Frame): MuxEvent => {
    const message = decodeMux(frame);
    if (ready === (message.kind === "hello")) {
      throw new ProtocolError("unexpected", ready ? "second hello" : `${message.kind}, no hello`);
    }
    switch (message.kind) {
      case "hello":
        return receiveHello(message);
      case "open":
        return receiveOpen(message.stream);
      case "opened":
        return receiveOpened(message.stream);
      case "refused":
        return receiveRefused(message.stream, message.reason);
      case "data":
        return receiveData(message.stream, message.data);
      case "window":
        return receiveWindow(message.stream, message.bytes);
      case "end":
        return receiveEnd(message.stream);
      case "reset":
        return receiveReset(message.stream);
      case "ping":
        return { kind: "ping", reply: encodeMux({ kind: "pong", token: message.token }) };
      case "pong":
        if (pings !== pongs + 1 || message.token !== pings) {
          throw new ProtocolError("unexpected", `pong ${message.token}`);
        }
        pongs++;
        return { kind: "alive" };
      default:
        return message satisfies never;
    }
  };

  /** One that this side may still use. */
  const usable = (stream: number): Stream | undefined => {
    const known = streams.get(stream);
    return known?.sentReset ? undefined : known;
  };
  /** One on which this side may send: the dialer at once, the acceptor when it has answered. */
  const sendable = (stream: number): Stream | undefined => {
    const known = usable(stream);
    const maySend = role === "dialer" || known?.opened;
    return maySend && !known?.sentEnd ? known : undefined;
  };

  return {
    hello: () =>
      encodeMux({
        kind: "hello",
        version: MUX_VERSION,
        streams: role === "acceptor" ? maxStreams : 0,
        windowBytes: MUX_FIRST_WINDOW_BYTES,
      }),
    receive,
    mayOpen: () => ready && streams.size < maxStreams && lastStream < 0xffff_ffff,
    open() {
      const stream = lastStream + 1;
      add(stream);
      return { stream, frame: encodeMux({ kind: "open", stream }) };
    },
    opened(stream) {
      const known = usable(stream);
      if (known === undefined) return null;
      known.opened = true;
      return encodeMux({ kind: "opened", stream });
    },
    refused(stream, reason) {
      const known = usable(stream);
      if (known === undefined) return null;
      known.sentReset = true;
      return encodeMux({ kind: "refused", stream, reason });
    },
    room: (stream) => sendable(stream)?.credit ?? 0,
    dataHead(stream, bytes) {
      const known = sendable(stream);
      if (known === undefined || bytes > known.credit) {
        throw new Error(`bug: ${bytes} bytes on stream ${stream}`);
      }
      known.credit -= bytes;
      return encodeDataHead(stream, bytes);
    },
    consumed(stream, count) {
      const known = usable(stream);
      const bytes = known?.opened ? known.window.consume(count, known.gotEnd) : 0;
      return bytes === 0 ? null : encodeMux({ kind: "window", stream, bytes });
    },
    end(stream) {
      const known = sendable(stream);
      if (known === undefined) return null;
      known.sentEnd = true;
      if (known.gotEnd) forget(stream);
      return encodeMux({ kind: "end", stream });
    },
    reset(stream) {
      const known = usable(stream);
      if (known === undefined) return null;
      known.sentReset = true;
      return encodeMux({ kind: "reset", stream });
    },
    ping() {
      if (!ready || pings !== pongs) return null;
      pings = (pings + 1) >>> 0;
      return encodeMux({ kind: "ping", token: pings });
    },
    openStreams: () => streams.size,
  };
}

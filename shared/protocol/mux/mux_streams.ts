// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The streams of a mux session, as one side knows them: which are open, and what may still be
 * sent and received on each. mux_session.ts changes them by the messages. Pure.
 *
 * @module
 */

import { ProtocolError } from "../refusal.ts";
import { MUX_STREAMS } from "./mux_limits.ts";
import type { MuxRole } from "./mux_message.ts";
import { createWindowBudget, type Window, type WindowBudget } from "./mux_window.ts";

export interface MuxStreamState {
  opened: boolean;
  sentEnd: boolean;
  gotEnd: boolean;
  /** Reset, or refused: what still comes is dropped, until the other side's reset. */
  sentReset: boolean;
  /** Bytes that may be sent. */
  credit: number;
  readonly window: Window;
}

export interface MuxStreams {
  readonly role: MuxRole;
  /** By id; a stream that is not here was never opened, or is over on both sides. */
  readonly known: Map<number, MuxStreamState>;
  readonly budget: WindowBudget;
  /** Ids are given in turn, from 1 on. */
  lastId: number;
  /** The most that may be known at once: 0 until the other side's hello. */
  most: number;
  /** What a new stream may send. */
  firstCredit: number;
}

/**
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(createMuxStreams("dialer").most, 0); // until the hello
 * ```
 */
export function createMuxStreams(role: MuxRole): MuxStreams {
  return {
    role,
    known: new Map(),
    budget: createWindowBudget(),
    lastId: 0,
    most: role === "acceptor" ? MUX_STREAMS : 0,
    firstCredit: 0,
  };
}

/**
 * @param id the next one
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const streams = createMuxStreams("acceptor");
 * addStream(streams, 1);
 * assertEquals([...streams.known.keys()], [1]);
 * ```
 */
export function addStream(streams: MuxStreams, id: number): void {
  streams.lastId = id;
  streams.known.set(id, {
    opened: false,
    sentEnd: false,
    gotEnd: false,
    sentReset: false,
    credit: streams.firstCredit,
    window: streams.budget.newWindow(),
  });
}

/**
 * Gives back what its window had.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const streams = createMuxStreams("acceptor");
 * addStream(streams, 1);
 * forget(streams, 1);
 * assertEquals(streams.known.size, 0);
 * ```
 */
export function forget({ known }: MuxStreams, id: number): void {
  known.get(id)?.window.close();
  known.delete(id);
}

/**
 * A stream on which data may come: not ended by the other side, and opened if it must be.
 *
 * @throws {ProtocolError} "unexpected" if this is none
 *
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 *
 * const streams = createMuxStreams("acceptor");
 * addStream(streams, 1);
 * flowing(streams, 1).gotEnd = true;
 * assertThrows(() => flowing(streams, 1), Error, "nothing may come");
 * ```
 */
export function flowing({ role, known }: MuxStreams, id: number): MuxStreamState {
  const stream = known.get(id);
  const mayFlow = role === "acceptor" || stream?.opened;
  if (stream === undefined || !mayFlow || stream.gotEnd) {
    throw new ProtocolError("unexpected", `nothing may come on stream ${id}`);
  }
  return stream;
}

/**
 * One that was asked for and not yet answered. @throws {ProtocolError} "unexpected"
 *
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 *
 * const streams = createMuxStreams("acceptor");
 * addStream(streams, 1);
 * unanswered(streams, 1).opened = true;
 * assertThrows(() => unanswered(streams, 1), Error, "not being opened");
 * ```
 */
export function unanswered({ known }: MuxStreams, id: number): MuxStreamState {
  const stream = known.get(id);
  if (stream === undefined || stream.opened) {
    throw new ProtocolError("unexpected", `stream ${id} is not being opened`);
  }
  return stream;
}

/**
 * @throws {ProtocolError} "unexpected" if nobody ever opened it
 *
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 *
 * const streams = createMuxStreams("acceptor");
 * addStream(streams, 1);
 * wasOpened(streams, 1);
 * assertThrows(() => wasOpened(streams, 2), Error, "never opened");
 * ```
 */
export function wasOpened({ lastId }: MuxStreams, id: number): void {
  if (id === 0 || id > lastId) {
    throw new ProtocolError("unexpected", `stream ${id} was never opened`);
  }
}

/**
 * One that this side may still use.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const streams = createMuxStreams("acceptor");
 * addStream(streams, 1);
 * assertEquals(usable(streams, 2), undefined);
 * ```
 */
export function usable({ known }: MuxStreams, id: number): MuxStreamState | undefined {
  const stream = known.get(id);
  return stream?.sentReset ? undefined : stream;
}

/**
 * One on which this side may send: the dialer at once, the acceptor when it has answered.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 *
 * const streams = createMuxStreams("acceptor");
 * addStream(streams, 1);
 * assert(sendable(streams, 1) === undefined); // it has not answered
 * ```
 */
export function sendable(streams: MuxStreams, id: number): MuxStreamState | undefined {
  const stream = usable(streams, id);
  const maySend = streams.role === "dialer" || stream?.opened;
  return maySend && !stream?.sentEnd ? stream : undefined;
}

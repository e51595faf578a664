// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * One side of a mux session over a byte pipe: the protocol's checks are in
 * shared/protocol/mux/mux_session.ts; this moves bytes between the pipe and the streams. What waits
 * to be written is bounded: data frames take turns for places in the queue, so that a download never
 * blocks a chat; every other frame answers one of the other side's or belongs to a place.
 *
 * @module
 */

import type { Frame } from "../../protocol/frame.ts";
import type { MuxRole } from "../../protocol/mux/mux_message.ts";
import {
  createMuxSession,
  type MuxEvent,
  type MuxSession,
} from "../../protocol/mux/mux_session.ts";
import { type MuxRefusal, ProtocolError } from "../../protocol/refusal.ts";
import { createBatchSender } from "./batch_sender.ts";
import type { Clock } from "../clock.ts";
import { createDeadlines, type Deadlines } from "./deadlines.ts";
import { FAILURE_OF_REFUSAL, TunnelFailure } from "../failure.ts";
import { createFairSlots, type FairSlots } from "./fair_slots.ts";
import { createMuxStream, type MuxStream } from "./mux_stream.ts";

/** Data frames that wait for the pipe: a MiB at most. */
const PIPE_SLOTS = 32;
/** Frames that wait for the pipe: some ten for each stream. Only a side that floods, or sends
 * and never reads, reaches this. */
const FLOOD_FRAMES = 16 * 1024;
/** The VM's side connects to a port of its own machine, or refuses within less. */
const OPEN_LIMIT_MS = 15_000;

export interface MuxEndOptions {
  readonly role: MuxRole;
  readonly clock: Clock;
  readonly write: (bytes: Uint8Array) => Promise<void>;
  /** The pipe cannot be written any more. */
  readonly onBroken: () => void;
  readonly onReady: () => void;
  /** The other side opens a stream: answer with accept() or refuse(). Its data may come before. */
  readonly onOpen: (stream: MuxStream) => void;
}

export interface MuxEnd {
  readonly session: MuxSession;
  /** @throws {ProtocolError} the session is over; call fail() then */
  receive(frame: Frame): void | Promise<void>;
  /**
   * A stream that may be written at once. If the other side refuses it, it breaks later.
   *
   * @throws {TunnelFailure} there is no place for another, or the session is over
   */
  open(): Promise<MuxStream>;
  /** @returns whether the other side still wants it; data may be sent on it then */
  accept(id: number): boolean;
  refuse(id: number, reason: MuxRefusal): void;
  send(frame: Uint8Array | null): void;
  /** The session is over: every stream breaks. */
  fail(failure: TunnelFailure): void;
}

export function createMuxEnd(options: MuxEndOptions): MuxEnd {
  const session = createMuxSession(options.role);
  const outlet = createOutlet(options);
  const { slots, send } = outlet;
  const streams = new Map<number, MuxStream>();
  const pipe = {
    session,
    slots,
    send: outlet.write,
    drop: (id: number) => void streams.delete(id),
  };
  const add = (id: number): MuxStream => {
    const stream = createMuxStream(id, pipe);
    streams.set(id, stream);
    return stream;
  };
  const opening = createDeadlines(options.clock, OPEN_LIMIT_MS, (id) => {
    send(session.reset(id));
    breakOff(streams, id, new TunnelFailure("no-answer"));
  });
  const parts: Parts = { options, streams, opening, add, send };
  return {
    session,
    send,
    receive(frame) {
      act(session.receive(frame), parts);
      return outlet.isFlooded() ? outlet.slowDown() : undefined;
    },
    async open() {
      await waitInLine(outlet, session);
      const { stream, frame } = session.open();
      outlet.write(frame).then(() => slots.give());
      opening.start(stream);
      return add(stream);
    },
    accept(id) {
      const frame = session.opened(id);
      send(frame);
      return frame !== null;
    },
    refuse(id, reason) {
      send(session.refused(id, reason));
      streams.delete(id);
    },
    fail(failure) {
      if (!outlet.close(failure)) return;
      for (const stream of streams.values()) stream.broke(failure);
      streams.clear();
      opening.close();
      slots.open();
    },
  };
}

/**
 * In line with the data, so that a pipe that is full is not filled with opens. The place is the
 * caller's to give back.
 *
 * @throws {TunnelFailure} no stream may be opened
 */
async function waitInLine({ slots, check }: Outlet, session: MuxSession): Promise<void> {
  if (!slots.tryTake()) await slots.take();
  try {
    check();
    if (!session.mayOpen()) throw new TunnelFailure("too-many");
  } catch (error) {
    slots.give();
    throw error;
  }
}

/** What the session's events are told to. */
interface Parts {
  readonly options: MuxEndOptions;
  readonly streams: Map<number, MuxStream>;
  readonly opening: Deadlines;
  readonly add: (id: number) => MuxStream;
  readonly send: (frame: Uint8Array) => void;
}

function act(event: MuxEvent, { options, streams, opening, add, send }: Parts): void {
  switch (event.kind) {
    case "ready":
      return options.onReady();
    case "open":
      return options.onOpen(add(event.stream));
    case "opened":
      opening.done(event.stream);
      return streams.get(event.stream)?.opened();
    case "refused": {
      opening.done(event.stream);
      send(event.reply);
      const why = new TunnelFailure(FAILURE_OF_REFUSAL[event.reason]);
      return breakOff(streams, event.stream, why);
    }
    case "data":
      return streams.get(event.stream)?.took(event.data);
    case "room":
      return streams.get(event.stream)?.room();
    case "end":
      return streams.get(event.stream)?.ended();
    case "reset":
      send(event.reply);
      return breakOff(streams, event.stream, new TunnelFailure("vm-died", " (reset)"));
    case "ping":
      return send(event.reply);
    case "alive":
      return;
    default:
      return event satisfies never;
  }
}

function breakOff(streams: Map<number, MuxStream>, id: number, why: TunnelFailure): void {
  const stream = streams.get(id);
  streams.delete(id);
  stream?.broke(why);
}

/** What goes out, while the session lives; what waits is counted. */
interface Outlet {
  /** Places of data frames. */
  readonly slots: FairSlots;
  /** Resolves when it is written. */
  write(...parts: readonly Uint8Array[]): Promise<void>;
  send(frame: Uint8Array | null): void;
  isFlooded(): boolean;
  /** Resolves when there is less. @throws {ProtocolError} "silent" where nobody may wait */
  slowDown(): Promise<void>;
  /** @throws {TunnelFailure} it is closed */
  check(): void;
  /** Nothing goes out any more. @returns false if that was so before */
  close(failure: TunnelFailure): boolean;
}

function createOutlet({ role, write: writePipe, onBroken }: MuxEndOptions): Outlet {
  const sender = createBatchSender(writePipe, onBroken);
  let over: TunnelFailure | null = null;
  let waiting = 0;
  const write = (...parts: readonly Uint8Array[]): Promise<void> => {
    if (over !== null) return Promise.resolve();
    waiting++;
    return sender.send(...parts).then(() => void waiting--);
  };
  return {
    slots: createFairSlots(PIPE_SLOTS),
    write,
    send(frame) {
      if (frame !== null) write(frame);
    },
    isFlooded: () => waiting > FLOOD_FRAMES,
    slowDown() {
      // The dialer must go on reading, or two full pipes would wait for each other.
      if (role === "dialer") throw new ProtocolError("silent", "it sends but never reads");
      return write(new Uint8Array(0));
    },
    check() {
      if (over !== null) throw over;
    },
    close(failure) {
      if (over !== null) return false;
      over = failure;
      return true;
    },
  };
}

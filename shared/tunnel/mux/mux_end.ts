// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * One side of a mux session over a byte pipe: the protocol's checks are in
 * shared/protocol/mux/mux_session.ts; this moves bytes between the pipe and the streams. What waits
 * to be written is bounded: data frames have places in the queue, given in turn, so that a
 * download never blocks a chat; every other frame answers one of the other side's, or a place.
 *
 * @module
 */

import type { Frame } from "../../protocol/frame.ts";
import type { MuxRole } from "../../protocol/mux/mux_message.ts";
import { createMuxSession, type MuxSession } from "../../protocol/mux/mux_session.ts";
import { type MuxRefusal, ProtocolError } from "../../protocol/refusal.ts";
import { createBatchSender } from "./batch_sender.ts";
import type { Clock } from "../clock.ts";
import { createDeadlines } from "./deadlines.ts";
import { FAILURE_OF_REFUSAL, TunnelFailure } from "../failure.ts";
import { createFairSlots } from "./fair_slots.ts";
import { createMuxStream, type MuxStream } from "./mux_stream.ts";

/** Data frames that wait for the pipe: a MiB at most. */
const PIPE_SLOTS = 32;
/** Frames that wait for the pipe: some ten for each stream. Only a side that floods, or that sends
 * and never reads, gets there. */
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
   * A stream that may be written at once. That the other side refuses it breaks it later.
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
  const sender = createBatchSender(options.write, options.onBroken);
  const slots = createFairSlots(PIPE_SLOTS);
  const streams = new Map<number, MuxStream>();
  let over: TunnelFailure | null = null;
  let waiting = 0;

  const write = (...parts: readonly Uint8Array[]): Promise<void> => {
    if (over !== null) return Promise.resolve();
    waiting++;
    return sender.send(...parts).then(() => void waiting--);
  };
  const send = (frame: Uint8Array | null): void => {
    if (frame !== null) write(frame);
  };
  const pipe = {
    session,
    slots,
    send: write,
    drop: (id: number) => void streams.delete(id),
  };
  const opening = createDeadlines(options.clock, OPEN_LIMIT_MS, (id) => {
    send(session.reset(id));
    broke(id, new TunnelFailure("no-answer"));
  });
  const broke = (id: number, why: TunnelFailure): void => {
    const stream = streams.get(id);
    streams.delete(id);
    stream?.broke(why);
  };
  const add = (id: number): MuxStream => {
    const stream = createMuxStream(id, pipe);
    streams.set(id, stream);
    return stream;
  };

  const act = (frame: Frame): void => {
    const event = session.receive(frame);
    switch (event.kind) {
      case "ready":
        return options.onReady();
      case "open":
        return options.onOpen(add(event.stream));
      case "opened":
        opening.done(event.stream);
        return streams.get(event.stream)?.opened();
      case "refused":
        opening.done(event.stream);
        send(event.reply);
        return broke(event.stream, new TunnelFailure(FAILURE_OF_REFUSAL[event.reason]));
      case "data":
        return streams.get(event.stream)?.took(event.data);
      case "room":
        return streams.get(event.stream)?.room();
      case "end":
        return streams.get(event.stream)?.ended();
      case "reset":
        send(event.reply);
        return broke(event.stream, new TunnelFailure("vm-died", " (reset)"));
      case "ping":
        return send(event.reply);
      case "alive":
        return;
      default:
        return event satisfies never;
    }
  };

  return {
    session,
    send,
    receive(frame) {
      act(frame);
      if (waiting <= FLOOD_FRAMES) return undefined;
      // The dialer must go on reading, or two full pipes would wait for each other.
      if (options.role === "dialer") throw new ProtocolError("silent", "it sends and never reads");
      return write(new Uint8Array(0));
    },
    /** In line with the data, so that a pipe that is full is not filled with opens. */
    async open() {
      if (!slots.tryTake()) await slots.take();
      try {
        if (over !== null) throw over;
        if (!session.mayOpen()) throw new TunnelFailure("too-many");
      } catch (error) {
        slots.give();
        throw error;
      }
      const { stream, frame } = session.open();
      write(frame).then(() => slots.give());
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
      if (over !== null) return;
      over = failure;
      for (const stream of streams.values()) stream.broke(failure);
      streams.clear();
      opening.close();
      slots.open();
    },
  };
}

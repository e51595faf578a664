// SPDX-License-Identifier: GPL-2.0-or-later
/** One stream of a mux session as the far end of a connection. @module */

import { MAX_MUX_DATA_BYTES } from "../../protocol/mux/mux_limits.ts";
import type { MuxSession } from "../../protocol/mux/mux_session.ts";
import { createByteQueue } from "./byte_queue.ts";
import { TunnelFailure } from "../failure.ts";
import type { FairSlots } from "./fair_slots.ts";
import type { RemoteEnd } from "../carry/remote_end.ts";

/** Frames of one stream in the pipe's queue: some are written while the next are read. */
const FRAMES_IN_FLIGHT = 8;

/** What a stream shares with the others of its session. */
export interface SharedPipe {
  readonly session: MuxSession;
  readonly slots: FairSlots;
  /** Resolves when the frame is written; its parts may be used again at once. */
  send(...parts: readonly Uint8Array[]): Promise<void>;
  /** Nothing of this stream is wanted any more. */
  drop(id: number): void;
}

export interface MuxStream extends RemoteEnd {
  readonly id: number;
  /** Resolves when the other side has opened it. @throws {TunnelFailure} it never will */
  whenOpened(): Promise<void>;
  /** The session's events. */
  opened(): void;
  took(data: Uint8Array): void;
  room(): void;
  ended(): void;
  /** It broke; reads and writes throw this from now on. */
  broke(failure: TunnelFailure): void;
}

export function createMuxStream(id: number, pipe: SharedPipe): MuxStream {
  const { session, slots } = pipe;
  const received = createByteQueue();
  const gone = Promise.withResolvers<void>();
  const answered = Promise.withResolvers<void>();
  answered.promise.catch(() => {}); // few ask
  let [sentEnd, gotEnd] = [false, false];
  let [delivered, inFlight] = [0, 0];
  let failure: TunnelFailure | null = null;
  let wakeReader = (): void => {};
  let wakeWriter = (): void => {};

  const sendIf = (frame: Uint8Array | null): void => {
    if (frame !== null) pipe.send(frame);
  };
  const broke = (why: TunnelFailure): void => {
    if (failure !== null) return;
    failure = why;
    received.clear();
    wakeReader();
    wakeWriter();
    gone.resolve();
    answered.reject(why);
  };
  const readerWoken = (): Promise<void> => new Promise((resolve) => wakeReader = resolve);
  const writerWoken = (): Promise<void> => new Promise((resolve) => wakeWriter = resolve);
  const check = (): void => {
    if (failure !== null) throw failure;
  };

  const writePart = async (bytes: Uint8Array): Promise<number> => {
    while (failure === null && (session.room(id) === 0 || inFlight >= FRAMES_IN_FLIGHT)) {
      await writerWoken();
    }
    check();
    if (!slots.tryTake()) await slots.take();
    if (failure !== null) {
      slots.give();
      throw failure;
    }
    const part = bytes.subarray(0, Math.min(session.room(id), MAX_MUX_DATA_BYTES));
    inFlight++;
    pipe.send(session.dataHead(id, part.length), part).then(() => {
      inFlight--;
      slots.give();
      wakeWriter();
    });
    return part.length;
  };

  return {
    id,
    gone: gone.promise,
    whenOpened: () => answered.promise,
    async read() {
      if (delivered > 0) sendIf(session.consumed(id, delivered));
      delivered = 0;
      for (;;) {
        check();
        const bytes = received.shift();
        if (bytes !== undefined) {
          delivered = bytes.length;
          return bytes;
        }
        if (gotEnd) return null;
        await readerWoken();
      }
    },
    async write(bytes) {
      for (let at = 0; at < bytes.length;) at += await writePart(bytes.subarray(at));
    },
    closeWrite() {
      sendIf(session.end(id));
      sentEnd = true;
      if (gotEnd) pipe.drop(id);
    },
    abort() {
      if (failure !== null) return;
      sendIf(session.reset(id));
      pipe.drop(id);
      broke(new TunnelFailure("client-gone"));
    },
    opened: () => answered.resolve(),
    took(data) {
      received.push(data);
      wakeReader();
    },
    room: () => wakeWriter(),
    ended() {
      gotEnd = true;
      if (sentEnd) pipe.drop(id);
      wakeReader();
    },
    broke,
  };
}

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
  /** This stream is no longer needed. */
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
  const life: Life = { failure: null, sentEnd: false, gotEnd: false };
  const inlet = createInlet(id, pipe, life);
  const outlet = createOutlet(id, pipe, life);
  const gone = Promise.withResolvers<void>();
  const answered = Promise.withResolvers<void>();
  answered.promise.catch(() => {}); // rarely used
  const broke = (why: TunnelFailure): void => {
    if (life.failure !== null) return;
    life.failure = why;
    inlet.clear();
    outlet.wake();
    gone.resolve();
    answered.reject(why);
  };
  return {
    id,
    gone: gone.promise,
    whenOpened: () => answered.promise,
    read: inlet.read,
    write: outlet.write,
    closeWrite() {
      sendIf(pipe, pipe.session.end(id));
      life.sentEnd = true;
      if (life.gotEnd) pipe.drop(id);
    },
    abort() {
      if (life.failure !== null) return;
      sendIf(pipe, pipe.session.reset(id));
      pipe.drop(id);
      broke(new TunnelFailure("client-gone"));
    },
    opened: () => answered.resolve(),
    took: inlet.took,
    room: outlet.wake,
    ended() {
      life.gotEnd = true;
      if (life.sentEnd) pipe.drop(id);
      inlet.wake();
    },
    broke,
  };
}

/** What both directions have to know. */
interface Life {
  /** Reads and writes throw it. */
  failure: TunnelFailure | null;
  sentEnd: boolean;
  gotEnd: boolean;
}

function check({ failure }: Life): void {
  if (failure !== null) throw failure;
}

function sendIf(pipe: SharedPipe, frame: Uint8Array | null): void {
  if (frame !== null) pipe.send(frame);
}

/** Incoming: a reader that asks for more is done with what it got before. */
interface Inlet {
  read(): Promise<Uint8Array | null>;
  took(data: Uint8Array): void;
  wake(): void;
  clear(): void;
}

function createInlet(id: number, pipe: SharedPipe, life: Life): Inlet {
  const received = createByteQueue();
  let delivered = 0;
  let wakeReader = (): void => {};
  const woken = (): Promise<void> => new Promise((resolve) => wakeReader = resolve);
  return {
    async read() {
      if (delivered > 0) sendIf(pipe, pipe.session.consumed(id, delivered));
      delivered = 0;
      for (;;) {
        check(life);
        const bytes = received.shift();
        if (bytes !== undefined) {
          delivered = bytes.length;
          return bytes;
        }
        if (life.gotEnd) return null;
        await woken();
      }
    },
    took(data) {
      received.push(data);
      wakeReader();
    },
    wake: () => wakeReader(),
    clear() {
      received.clear();
      wakeReader();
    },
  };
}

/** Outgoing: as much as the other side has room for, in places of the shared pipe. */
interface Outlet {
  write(bytes: Uint8Array): Promise<void>;
  /** There may be room. */
  wake(): void;
}

function createOutlet(id: number, pipe: SharedPipe, life: Life): Outlet {
  const { session, slots } = pipe;
  let inFlight = 0;
  let wakeWriter = (): void => {};
  const woken = (): Promise<void> => new Promise((resolve) => wakeWriter = resolve);
  const writePart = async (bytes: Uint8Array): Promise<number> => {
    while (life.failure === null && (session.room(id) === 0 || inFlight >= FRAMES_IN_FLIGHT)) {
      await woken();
    }
    check(life);
    if (!slots.tryTake()) await slots.take();
    if (life.failure !== null) {
      slots.give();
      throw life.failure;
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
    async write(bytes) {
      for (let at = 0; at < bytes.length;) at += await writePart(bytes.subarray(at));
    },
    wake: () => wakeWriter(),
  };
}

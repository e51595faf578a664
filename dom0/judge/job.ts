// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * One taken request, from the ledger to the acknowledged outcome. It outlives sessions: a
 * session that breaks leaves its seat empty, and the next one that brings the same request
 * takes the seat and gets the output from its beginning, and the outcome.
 *
 * @module
 */

import type { AuthenticRequest } from "../../shared/protocol/envelope.ts";
import type { StreamNumber } from "../../shared/protocol/message.ts";
import type { Outcome } from "../../shared/protocol/outcome.ts";
import type { StopReason } from "../run/runner.ts";
import type { Spool } from "../record/outcome_store.ts";
import { createIncoming, type Incoming } from "./incoming.ts";

export type JobRequest = Pick<AuthenticRequest, "vm" | "id" | "nonce" | "digest" | "protocol">;

/** As the audit names it. */
export function nameOf({ vm, id }: JobRequest): Pick<JobRequest, "vm" | "id"> {
  return { vm, id };
}

/** A request's place in a live session. */
export interface Seat {
  /** Whether its session is still open. */
  isOpen(): boolean;
  accepted(): void;
  /** It waits for a person: sent after `accepted`, in each session that takes the seat. */
  parked(): void;
  /** What was parked runs now. */
  approved(): void;
  /** Asks for that much of its payload. */
  pull(offset: number, bytes: number): void;
  /** Asks for what follows in its live stream, and confirms what came before. */
  want(offset: number): void;
  /** Nobody reads any more of its live stream. */
  enough(): void;
  /** Bytes of output that may be sent now. */
  room(): number;
  output(stream: StreamNumber, offset: number, data: Uint8Array): void;
  outcome(outcome: Outcome): void;
  /** Whether its VM may cause one more record of a refusal; asked before each. */
  mayRecordRefusal(): boolean;
}

/** The sessions of a job: at most one at a time has its seat. */
export interface Seating {
  attach(seat: Seat): void;
  detach(seat: Seat): void;
  hasSeat(): boolean;
  seat(): Seat | null;
  /** How often a session took its seat. */
  seatings(): number;
  /** It waits for a person from now on; each session that takes the seat is told. */
  park(): void;
  /** A person has approved it. */
  approve(): void;
  /** Sends what the seat has room for; the outcome when all output is sent. */
  pump(): void;
}

export interface Job extends Seating, Incoming {
  readonly request: JobRequest;
  /** When it was taken, or found by this daemon; a span, not a date. */
  readonly sinceMs: number;
  /** Ends it, if it has not ended. */
  stop(reason: StopReason): void;
  /** Output came in. */
  append(stream: StreamNumber, bytes: Uint8Array): void;
  /** It ended; `makeOutcome` gets the sizes and hashes of what it printed. */
  finish(makeOutcome: (spool: Spool) => Outcome): Outcome;
  outcome(): Outcome | null;
  /** Of output, on disk. */
  keptBytes(): number;
  /** Resolves when it has its outcome. */
  ended(): Promise<void>;
  /** Resolves when it has ended and no session still has to fetch its outcome. */
  told(): Promise<void>;
  close(): void;
}

export interface JobOptions {
  readonly request: JobRequest;
  readonly sinceMs: number;
  readonly spool: Spool;
  /** What an earlier daemon left; null for a new request. */
  readonly outcome: Outcome | null;
  readonly onStop: (reason: StopReason) => void;
}

export function createJob({ request, sinceMs, spool, outcome, onStop }: JobOptions): Job {
  const end = Promise.withResolvers<void>();
  let ended = outcome;
  let closed = false;
  if (ended !== null) end.resolve();
  const seating = createSeating(spool, () => ended, () => telling.look());
  const telling = createTelling(() => closed || (ended !== null && !seating.hasSeat()));
  const incoming = createIncoming(seating.seat);
  return {
    ...seating,
    ...incoming,
    request,
    sinceMs,
    attach(seat) {
      seating.attach(seat);
      if (ended === null) incoming.attach(seat);
    },
    detach(seat) {
      seating.detach(seat);
      if (!seating.hasSeat()) incoming.detach();
    },
    stop(reason) {
      if (ended === null) onStop(reason);
    },
    append(stream, bytes) {
      spool.append(stream, bytes);
      seating.pump();
    },
    finish(makeOutcome) {
      ended = makeOutcome(spool);
      incoming.close();
      end.resolve();
      telling.look();
      return ended;
    },
    outcome: () => ended,
    keptBytes: () => spool.length(1) + spool.length(2),
    ended: () => end.promise,
    told: telling.told,
    close() {
      closed = true;
      telling.look();
      spool.close();
    },
  };
}

/** @param onLeft called when a session has left the seat */
function createSeating(spool: Spool, ended: () => Outcome | null, onLeft: () => void): Seating {
  const delivery: Delivery = { spool, seat: null, sent: new Map(), outcomeSent: false };
  let parked = false;
  let seatings = 0;
  const pump = (): void => deliver(delivery, ended());
  return {
    pump,
    park() {
      parked = true;
      delivery.seat?.parked();
    },
    approve() {
      parked = false;
      delivery.seat?.approved();
    },
    attach(seat) {
      seatings++;
      beginAnew(delivery, seat);
      if (parked && ended() === null) seat.parked();
      pump();
    },
    detach(seat) {
      if (delivery.seat === seat) delivery.seat = null;
      onLeft();
    },
    hasSeat: () => delivery.seat !== null,
    seat: () => delivery.seat,
    seatings: () => seatings,
  };
}

/** What the session that has the seat has been sent. */
interface Delivery {
  readonly spool: Spool;
  seat: Seat | null;
  /** Bytes of output. */
  readonly sent: Map<StreamNumber, number>;
  outcomeSent: boolean;
}

/** A new session has received nothing yet. */
function beginAnew(delivery: Delivery, seat: Seat): void {
  delivery.seat = seat;
  delivery.outcomeSent = false;
  delivery.sent.clear();
  seat.accepted();
}

function deliver(delivery: Delivery, ended: Outcome | null): void {
  const { seat, outcomeSent } = delivery;
  if (seat === null || outcomeSent) return;
  const all = [deliverStream(delivery, seat, 1), deliverStream(delivery, seat, 2)];
  if (!all.every((done) => done) || ended === null) return;
  delivery.outcomeSent = true;
  seat.outcome(ended);
}

/** @returns whether the seat has all that there is */
function deliverStream({ spool, sent }: Delivery, seat: Seat, stream: StreamNumber): boolean {
  for (;;) {
    const offset = sent.get(stream) ?? 0;
    if (offset >= spool.length(stream)) return true;
    const data = spool.read(stream, offset, seat.room());
    if (data.length === 0) return false;
    sent.set(stream, offset + data.length);
    seat.output(stream, offset, data);
  }
}

/** Waiting until there is nobody left to tell. */
interface Telling {
  told(): Promise<void>;
  /** To be called after each change. */
  look(): void;
}

function createTelling(isTold: () => boolean): Telling {
  let waiting: (() => void)[] = [];
  /** Deferred: a job that ended without a seat may get one in the same turn. */
  const look = (): void =>
    queueMicrotask(() => {
      if (!isTold()) return;
      for (const resolve of waiting) resolve();
      waiting = [];
    });
  return {
    told: () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        look();
      }),
    look,
  };
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The requests of one session, by their numbers in it: each has a seat, through which its VM hears
 * what becomes of it, and a job once it was taken. The session's end leaves the jobs as they are.
 *
 * @module
 */

import type { Clock } from "../../shared/io/clock.ts";
import type { UnverifiedChunk } from "../../shared/protocol/live/chunk.ts";
import type { Dom0Session } from "../../shared/protocol/dom0_session.ts";
import { signOutcome } from "../../shared/protocol/outcome.ts";
import { ProtocolError, type RefusalReason } from "../../shared/protocol/refusal.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import type { Job, Seat } from "../judge/job.ts";
import type { RequestDesk } from "../judge/request_desk.ts";
import type { RequestEvent } from "../judge/request_event.ts";
import type { StoredKey } from "../settings/key_store.ts";
import type { Outgoing } from "./outgoing.ts";
import type { RefusalBudget } from "./refusal_budget.ts";

export interface SessionSeats {
  /** @throws {ProtocolError} too many of this VM's requests were refused */
  receive(event: RequestEvent): Promise<void>;
  cancel(seq: number): void;
  /** The next bytes of its payload. */
  take(seq: number, data: Uint8Array): void;
  /** The next chunk of its live stream. */
  takeChunk(seq: number, chunk: UnverifiedChunk): void;
  /** The VM has room for more output of this request. */
  pump(seq: number): void;
  /** There is room on the wire again. */
  pumpAll(): void;
  /** The VM has the outcome. */
  done(seq: number): void;
  isEmpty(): boolean;
  /** The session is over. */
  leave(): void;
}

export interface SeatsOptions {
  readonly vm: VmName;
  readonly key: StoredKey;
  readonly desk: RequestDesk;
  readonly budget: RefusalBudget;
  readonly clock: Pick<Clock, "spanMs">;
  readonly session: Dom0Session;
  readonly outgoing: Outgoing;
  readonly isOver: () => boolean;
  readonly end: (error: unknown) => void;
}

/** Where a request stands in the session. */
interface Place {
  readonly seat: Seat;
  job: Job | null;
  cancelled: boolean;
}

export function createSessionSeats(options: SeatsOptions): SessionSeats {
  const { vm, key, desk, isOver } = options;
  const places = new Map<number, Place>();
  const spending = createSpending(options);
  return {
    async receive(event) {
      const place: Place = {
        seat: makeSeat(event.seq, spending, options),
        job: null,
        cancelled: false,
      };
      places.set(event.seq, place);
      const received = await desk.receive(vm, key, event, place.seat);
      if ("observed" in received) return void places.delete(event.seq);
      let refused: RefusalReason | null;
      if ("refused" in received) refused = received.refused;
      else {
        place.job = received.job;
        if (isOver()) received.job.detach(place.seat);
        refused = received.job.outcome()?.reason ?? null; // taken, and not run: the policy, lockdown
      }
      if (refused === null) {
        if (place.cancelled) place.job?.stop("cancelled");
      } else if (spending.isOverBudget()) throw new ProtocolError("too-many-refusals", refused);
    },
    cancel(seq) {
      const place = places.get(seq);
      if (place === undefined) return;
      place.cancelled = true;
      place.job?.stop("cancelled");
    },
    take: (seq, data) => places.get(seq)?.job?.take(data),
    takeChunk: (seq, chunk) => places.get(seq)?.job?.takeChunk(chunk),
    pump: (seq) => places.get(seq)?.job?.pump(),
    pumpAll() {
      for (const { job } of places.values()) job?.pump();
    },
    done(seq) {
      const job = places.get(seq)?.job ?? null;
      places.delete(seq);
      if (job !== null) desk.acknowledged(job);
    },
    isEmpty: () => places.size === 0,
    leave() {
      for (const { job, seat } of places.values()) job?.detach(seat);
    },
  };
}

interface Spending {
  mayRecord(): boolean;
  isOverBudget(): boolean;
}

/** Whether more refusals came of this session than its VM may cause. */
function createSpending({ budget, clock }: SeatsOptions): Spending {
  let isOver = false;
  return {
    mayRecord() {
      const may = budget.spend(clock.spanMs());
      isOver ||= !may;
      return may;
    },
    isOverBudget: () => isOver,
  };
}

function makeSeat(seq: number, spending: Spending, options: SeatsOptions): Seat {
  const { vm, key, session, outgoing, isOver, end } = options;
  const sendIfKnown = (frame: Uint8Array | null): void => {
    if (frame !== null) outgoing.send(frame);
  };
  return {
    isOpen: () => !isOver(),
    accepted: () => outgoing.send(session.accepted(seq)),
    parked: () => sendIfKnown(session.parked(seq)),
    approved: () => sendIfKnown(session.approved(seq)),
    pull: (offset, bytes) => outgoing.send(session.pull(seq, offset, bytes)),
    want: (offset) => outgoing.send(session.want(seq, offset)),
    enough: () => outgoing.send(session.enough(seq)),
    room: () => isOver() || outgoing.isFull() ? 0 : session.room(seq),
    output: (stream, offset, data) => outgoing.send(session.output(seq, stream, offset, data)),
    mayRecordRefusal: spending.mayRecord,
    outcome(outcome) {
      if (isOver()) return;
      const spoken = session.spoken(outcome);
      signOutcome(key.key, vm, spoken).then((mac) => {
        if (!isOver()) outgoing.send(session.outcome(seq, spoken, mac));
      }).catch(end);
    },
  };
}

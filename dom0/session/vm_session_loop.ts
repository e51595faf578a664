// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * One session with a VM over one qrexec call: the protocol's checks are in
 * shared/protocol/dom0_session.ts, the judging of requests in request_desk.ts; this moves the
 * messages between them and keeps the session alive or ends it.
 *
 * @module
 */

import { readFrames } from "../../shared/io/byte_stream.ts";
import type { Clock } from "../../shared/io/clock.ts";
import { createSilence } from "../../shared/io/silence.ts";
import { createDom0Session, type VmEvent } from "../../shared/protocol/dom0_session.ts";
import { PING_INTERVAL_MS, SILENCE_LIMIT_MS } from "../../shared/protocol/limits.ts";
import { CAPS_FROM_VM } from "../../shared/protocol/message.ts";
import { signOutcome } from "../../shared/protocol/outcome.ts";
import { ProtocolError, type RefusalReason } from "../../shared/protocol/refusal.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import type { Job, Seat } from "../judge/job.ts";
import type { StoredKey } from "../settings/key_store.ts";
import type { QrexecCall } from "../../shared/io/qrexec_call.ts";
import type { RefusalBudget } from "./refusal_budget.ts";
import type { RequestDesk } from "../judge/request_desk.ts";
import type { RequestEvent } from "../judge/request_event.ts";

/** Requests a VM may send ahead of those that run, so that none of its slots waits for the wire. */
const CREDITS = 24;
/** Output waits in its spool, not in memory, while this much is unsent. */
const MAX_BACKLOG_BYTES = 128 * 1024;
/** Of requests with larger bodies one at a time is judged: each takes several times its size. */
const MAX_AHEAD_BYTES = 16 * 1024;
/** A VM whose programs start gets this long to say hello. */
const HELLO_LIMIT_MS = 30_000;

export interface SessionOptions {
  readonly vm: VmName;
  readonly key: StoredKey;
  readonly call: QrexecCall;
  readonly desk: RequestDesk;
  readonly budget: RefusalBudget;
  readonly clock: Pick<Clock, "spanMs" | "every">;
  readonly onReady: () => void;
  /** End the session when the VM has sent nothing for this long and nothing is open; 0: never. */
  readonly endWhenIdleMs: number;
}

/** How a session ended that broke nothing. */
export interface SessionResult {
  /** The VM gave no sign of life for so long, so this side ended it; null: another end. */
  readonly silentMs: number | null;
}

/**
 * Runs until the call ends, or `stop` fires, or the VM is silent for too long (it may be paused), or
 * breaks the protocol.
 *
 * @throws {ProtocolError} the VM broke the protocol
 */
export async function runSession(
  options: SessionOptions,
  stop: AbortSignal,
): Promise<SessionResult> {
  const { vm, key, call, desk, budget, clock, onReady, endWhenIdleMs } = options;
  const session = createDom0Session(vm);
  const seats = new Map<number, { readonly seat: Seat; job: Job | null; cancelled: boolean }>();
  let over = false;
  let failure: unknown = null;
  const silence = createSilence(PING_INTERVAL_MS, clock);
  let lastHeardMs = clock.spanMs();
  let endedSilentMs: number | null = null;
  let ready = false;
  let overBudget = false;
  let someWait = false; // a job has output and was given no room, whatever its own window says

  const end = (error: unknown = null): void => {
    if (over) return;
    over = true;
    failure = error;
    call.kill();
  };
  const isFull = (): boolean => call.input.backlogBytes() >= MAX_BACKLOG_BYTES;
  const send = (frame: Uint8Array): void => {
    if (over) return;
    call.input.send(frame).then(() => {
      if (someWait && !over && !isFull()) pumpAll();
    });
  };
  const pumpAll = (): void => {
    someWait = false;
    for (const { job } of seats.values()) job?.pump();
  };

  const makeSeat = (seq: number): Seat => ({
    isOpen: () => !over,
    accepted: () => send(session.accepted(seq)),
    room: () => {
      if (over) return 0;
      if (!isFull()) return session.room(seq);
      someWait = true;
      return 0;
    },
    output: (stream, offset, data) => send(session.output(seq, stream, offset, data)),
    mayRecordRefusal() {
      const may = budget.spend(clock.spanMs());
      overBudget ||= !may;
      return may;
    },
    outcome(outcome) {
      if (over) return;
      const spoken = session.spoken(outcome);
      signOutcome(key.key, vm, spoken).then((mac) => {
        if (!over) send(session.outcome(seq, spoken, mac));
      }).catch(end);
    },
  });

  const receiveRequest = async (event: RequestEvent): Promise<void> => {
    const place = { seat: makeSeat(event.seq), job: null as Job | null, cancelled: false };
    seats.set(event.seq, place);
    const verdict = await desk.receive(vm, key, event, place.seat);
    if ("observed" in verdict) return void seats.delete(event.seq);
    let refused: RefusalReason | null;
    if ("refused" in verdict) refused = verdict.refused;
    else {
      place.job = verdict.job;
      if (over) verdict.job.detach(place.seat);
      refused = verdict.job.outcome()?.reason ?? null; // taken, and not run: the policy, lockdown
    }
    if (refused === null) {
      if (place.cancelled) place.job?.stop("cancelled");
    } else if (overBudget) throw new ProtocolError("too-many-refusals", refused);
  };

  const act = (event: VmEvent): void | Promise<void> => {
    switch (event.kind) {
      case "ready":
        ready = true;
        if (event.reply !== null) send(event.reply);
        send(session.credit(CREDITS));
        onReady();
        break;
      case "request":
      case "request-v1": {
        // Not awaited: the next message may be its cancel. The session bounds how many.
        const judged = receiveRequest(event).catch(end);
        if (bodyOf(event).length > MAX_AHEAD_BYTES) return judged;
        break;
      }
      case "cancel": {
        const place = seats.get(event.seq);
        if (place === undefined) break;
        place.cancelled = true;
        place.job?.stop("cancelled");
        break;
      }
      case "room":
        seats.get(event.seq)?.job?.pump();
        break;
      case "done": {
        const job = seats.get(event.seq)?.job ?? null;
        seats.delete(event.seq);
        if (job !== null) desk.acknowledged(job);
        send(session.credit(1));
        break;
      }
      case "alive":
        break;
      default:
        return event satisfies never;
    }
  };

  const endHeartbeat = clock.every(PING_INTERVAL_MS, () => {
    const silentMs = silence.lookMs();
    if (silentMs > (ready ? SILENCE_LIMIT_MS : HELLO_LIMIT_MS)) {
      if (!over) endedSilentMs = silentMs;
      end();
    } else if (ready) {
      const ping = session.ping();
      if (ping !== null) send(ping);
    }
  });
  const endIdleCheck = endWhenIdleMs === 0 ? () => {} : clock.every(endWhenIdleMs, () => {
    if (ready && seats.size === 0 && clock.spanMs() - lastHeardMs >= endWhenIdleMs) end();
  });
  const onStop = (): void => end();
  stop.addEventListener("abort", onStop);
  if (stop.aborted) end();

  try {
    send(session.hello());
    await readFrames(call.output, CAPS_FROM_VM, (frame) => {
      if (over) return;
      lastHeardMs = clock.spanMs();
      silence.heard();
      return act(session.receive(frame));
    });
  } catch (error) {
    end(error); // what breaks after this side ended the call is its own doing, and no failure
  } finally {
    end();
    endHeartbeat();
    endIdleCheck();
    stop.removeEventListener("abort", onStop);
    for (const { job, seat } of seats.values()) job?.detach(seat);
  }
  if (failure !== null) throw failure;
  return { silentMs: endedSilentMs };
}

function bodyOf(event: RequestEvent): Uint8Array {
  return event.kind === "request" ? event.request.fields.body : event.request.body;
}

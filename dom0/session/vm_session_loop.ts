// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * One session with a VM over one qrexec call: the protocol's checks are in
 * shared/protocol/dom0_session.ts, the judging of requests in dom0/judge; this moves the messages
 * between them and keeps the session alive or ends it.
 *
 * @module
 */

import { readFrames } from "../../shared/io/byte_stream.ts";
import type { Clock } from "../../shared/io/clock.ts";
import type { QrexecCall } from "../../shared/io/qrexec_call.ts";
import { createSilence } from "../../shared/io/silence.ts";
import {
  createDom0Session,
  type Dom0Session,
  type VmEvent,
} from "../../shared/protocol/dom0_session.ts";
import { PING_INTERVAL_MS, SILENCE_LIMIT_MS } from "../../shared/protocol/limits.ts";
import { CAPS_FROM_VM, isLentToDom0 } from "../../shared/protocol/message.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import type { RequestDesk } from "../judge/request_desk.ts";
import type { RequestEvent } from "../judge/request_event.ts";
import type { StoredKey } from "../settings/key_store.ts";
import { createOutgoing, type Outgoing } from "./outgoing.ts";
import type { RefusalBudget } from "./refusal_budget.ts";
import { createSessionSeats, type SessionSeats } from "./session_seats.ts";

/** Requests a VM may send ahead of those that run, so that none of its slots waits for the wire. */
const CREDITS = 24;
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
  const { vm, call } = options;
  const session = createDom0Session(vm);
  const ending = createEnding(call);
  const { isOver, end } = ending;
  const outgoing = createOutgoing(call, isOver, () => seats.pumpAll());
  const seats = createSessionSeats({ ...options, session, outgoing, isOver, end });
  const life = keepAlive({ ...options, session, outgoing, seats, isOver, end });
  const act = createAct({ ...options, session, outgoing, seats, isOver, end, onReady: life.ready });
  const onStop = (): void => end();
  stop.addEventListener("abort", onStop);
  if (stop.aborted) end();
  try {
    outgoing.send(session.hello());
    await readFrames(call.output, CAPS_FROM_VM, (frame) => {
      if (isOver()) return;
      life.heard();
      return act(session.receive(frame));
    }, isLentToDom0);
  } catch (error) {
    end(error); // what breaks after this side ended the call is its own doing, and no failure
  } finally {
    end();
    life.close();
    stop.removeEventListener("abort", onStop);
    seats.leave();
  }
  if (ending.failure() !== null) throw ending.failure();
  return { silentMs: life.endedSilentMs() };
}

interface Ending {
  isOver(): boolean;
  /** Ends the session; the first call says why. null: nothing failed. */
  end(error?: unknown): void;
  failure(): unknown;
}

function createEnding(call: QrexecCall): Ending {
  let over = false;
  let failure: unknown = null;
  return {
    isOver: () => over,
    end(error = null) {
      if (over) return;
      over = true;
      failure = error;
      call.kill();
    },
    failure: () => failure,
  };
}

interface SessionParts {
  readonly session: Dom0Session;
  readonly outgoing: Outgoing;
  readonly seats: SessionSeats;
  readonly isOver: () => boolean;
  readonly end: (error?: unknown) => void;
}

interface Life {
  /** The VM said hello. */
  ready(): void;
  /** The VM said something. */
  heard(): void;
  /** How long the VM was silent, if that ended the session. */
  endedSilentMs(): number | null;
  close(): void;
}

/** Pings, and ends the session that is silent or, if that is wished, has nothing to do. */
function keepAlive(
  { session, outgoing, seats, isOver, end, clock, onReady, endWhenIdleMs }:
    & SessionParts
    & SessionOptions,
): Life {
  const silence = createSilence(PING_INTERVAL_MS, clock);
  let isReady = false;
  let lastHeardMs = clock.spanMs();
  let endedSilentMs: number | null = null;
  const endHeartbeat = clock.every(PING_INTERVAL_MS, () => {
    const silentMs = silence.lookMs();
    if (silentMs > (isReady ? SILENCE_LIMIT_MS : HELLO_LIMIT_MS)) {
      if (!isOver()) endedSilentMs = silentMs;
      end();
    } else if (isReady) {
      const ping = session.ping();
      if (ping !== null) outgoing.send(ping);
    }
  });
  const isIdle = (): boolean =>
    isReady && seats.isEmpty() && clock.spanMs() - lastHeardMs >= endWhenIdleMs;
  const endIdleCheck = endWhenIdleMs === 0 ? () => {} : clock.every(endWhenIdleMs, () => {
    if (isIdle()) end();
  });
  return {
    ready() {
      isReady = true;
      onReady();
    },
    heard() {
      lastHeardMs = clock.spanMs();
      silence.heard();
    },
    endedSilentMs: () => endedSilentMs,
    close() {
      endHeartbeat();
      endIdleCheck();
    },
  };
}

/** @returns what is done about each event; a promise: the next one waits for it */
function createAct(
  { session, outgoing, seats, end, onReady }: SessionParts & Pick<SessionOptions, "onReady">,
): (event: VmEvent) => void | Promise<void> {
  return (event) => {
    switch (event.kind) {
      case "ready":
        if (event.reply !== null) outgoing.send(event.reply);
        outgoing.send(session.credit(CREDITS));
        return onReady();
      case "request":
      case "request-v1": {
        // Not awaited: the next message may be its cancel. The session bounds how many.
        const judged = seats.receive(event).catch(end);
        return bodyOf(event).length > MAX_AHEAD_BYTES ? judged : undefined;
      }
      case "cancel":
        return seats.cancel(event.seq);
      case "room":
        return seats.pump(event.seq);
      case "payload":
        return seats.take(event.seq, event.data);
      case "chunk":
        return seats.takeChunk(event.seq, event.chunk);
      case "done":
        seats.done(event.seq);
        return outgoing.send(session.credit(1));
      case "alive":
        return;
      default:
        return event satisfies never;
    }
  };
}

function bodyOf(event: RequestEvent): Uint8Array {
  return event.kind === "request" ? event.request.fields.body : event.request.body;
}

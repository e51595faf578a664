// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * One session, seen from dom0. dom0 speaks first; the VM may send one request per credit.
 *
 *     dom0                                      VM (hostile)
 *      | -- hello { version, vm } ---------------> |
 *      | -- ping { 0 } --------------------------> |   do you know capabilities?
 *      | <- hello { version } -------------------- |
 *      | <- capabilities { words } --------------- |   or pong { 0 }: no
 *      | -- capabilities { words } --------------> |   only if the VM named its own
 *      | -- credit { n } ------------------------> |
 *      | <- request { seq, envelope } ------------ |   costs one credit
 *      | -- accepted { seq } --------------------> |   it is in the ledger, it will run once
 *      | -- pull { seq, offset, bytes } ---------> |   only if it brings a payload
 *      | <- payload { seq, offset, data } -------- |   so much of it, in order
 *      | -- want { seq, offset } ----------------> |   only if it brings a live stream: so far confirmed
 *      | <- chunk { seq, offset, chunk } --------- |   at most one window unconfirmed
 *      | -- enough { seq } ----------------------> |   nobody reads any more of it
 *      | -- parked { seq } ----------------------> |   only if both know it: it waits for a person
 *      | -- accepted { seq } --------------------> |   again, if that person said yes
 *      | -- output { seq, stream, offset, data } > |   at most one window unacknowledged
 *      | <- window { seq, bytes } ---------------- |   that much is in the VM's file
 *      | <- cancel { seq } ----------------------- |   at most once, while it is open
 *      | -- outcome { seq, mac, meta } ----------> |   exactly one; refusals come at once
 *      | <- ack { seq } -------------------------- |   dom0 forgets it
 *      | -- ping { token } ----------------------> |
 *      | <- pong { token } ----------------------- |
 *      x -- close                                  |   anything else: audit, close, back off
 *
 * A request sent again after a broken session (same id, same MAC) is the same request: dom0 joins it
 * to the running command or sends the outcome that it kept. Pure: it makes and checks messages.
 *
 * @module
 */

import { type Bytes, concat } from "./bytes.ts";
import type { UnverifiedChunk } from "./live/chunk.ts";
import { type ChunkFlow, NO_CHUNKS, noteChunk, noteWant } from "./live/chunk_flow.ts";
import { CAPABILITIES, type Capability, inCommon, NO_CAPABILITIES } from "./capability.ts";
import { neededCapabilities, type UnverifiedRequest } from "./envelope.ts";
import type { Frame } from "./frame.ts";
import { MAX_OPEN_REQUESTS, MAX_STREAM_BYTES } from "./limits.ts";
import {
  CAPABILITY_PING,
  decodeFromVm,
  encodeFromDom0,
  type FromVm,
  PROTOCOL_VERSION,
  type StreamNumber,
} from "./message.ts";
import { inAgreedForm, isInForm, type Outcome } from "./outcome.ts";
import { type OutputFlow, outputFlow } from "./output_flow.ts";
import { notePull, type PayloadFlow, takePayload } from "./payload_flow.ts";
import { ProtocolError } from "./refusal.ts";
import type { UnverifiedV1Request } from "./v1.ts";
import type { VmName } from "./vm_name.ts";

/** What a VM's message, once checked, asks of the daemon. */
export type VmEvent =
  /** The session begins. The reply, if there is one, goes before the first credit. */
  | { readonly kind: "ready"; readonly reply: Bytes | null }
  | { readonly kind: "request"; readonly seq: number; readonly request: UnverifiedRequest }
  | { readonly kind: "request-v1"; readonly seq: number; readonly request: UnverifiedV1Request }
  | { readonly kind: "cancel"; readonly seq: number }
  | { readonly kind: "room"; readonly seq: number }
  /** The next bytes of a payload; none: the VM cannot read the rest. */
  | { readonly kind: "payload"; readonly seq: number; readonly data: Uint8Array }
  | { readonly kind: "chunk"; readonly seq: number; readonly chunk: UnverifiedChunk }
  | { readonly kind: "done"; readonly seq: number }
  | { readonly kind: "alive" };

interface OpenRequest extends PayloadFlow {
  readonly chunks: ChunkFlow;
  parked: boolean;
  unacknowledgedBytes: number;
  cancelled: boolean;
  answered: boolean;
}

export interface Dom0Session {
  /** What dom0 says first: its hello, and the question whether the VM knows capabilities. */
  hello(): Bytes;
  /** @throws {ProtocolError} on anything but what the drawing allows; the session is over */
  receive(frame: Frame): VmEvent;
  credit(count: number): Bytes;
  /** null while the last one is unanswered: a VM that wakes up need answer only one. */
  ping(): Bytes | null;
  accepted(seq: number): Bytes;
  /** It waits for a person, from here to `approved` or the outcome; null: the VM cannot be told. */
  parked(seq: number): Bytes | null;
  /** What was parked runs now; null: the VM was not told that it waits. */
  approved(seq: number): Bytes | null;
  /** Asks for that much of its payload; the first pull says from where on, the others follow. */
  pull(seq: number, offset: number, bytes: number): Bytes;
  /** Asks for what follows in its live stream, and confirms what came before. */
  want(seq: number, offset: number): Bytes;
  /** Nobody reads any more of its live stream. */
  enough(seq: number): Bytes;
  /** Bytes of output that may be sent now, in one frame, for this request; 0 when it is gone. */
  room(seq: number): number;
  output(seq: number, stream: StreamNumber, offset: number, data: Uint8Array): Bytes;
  /** The outcome in the form that this VM can read: to be signed, and sent, as it is. */
  spoken(outcome: Outcome): Outcome;
  outcome(seq: number, outcome: Outcome, mac: Uint8Array): Bytes;
  /** Requests without an acknowledged outcome, and credits not used. */
  load(): { readonly open: number; readonly credits: number };
}

/**
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { createFrameDecoder, encodeFrame } from "./frame.ts";
 * import { parseVmName } from "./vm_name.ts";
 *
 * const session = createDom0Session(parseVmName("work"));
 * session.hello(); // sent first
 * const hello = { type: 0x81, untrustedPayload: new Uint8Array([0, 2]) };
 * assertEquals(session.receive(hello).kind, "alive"); // it is asked for its capabilities
 * const pong = { type: 0x87, untrustedPayload: new Uint8Array(4) };
 * assertEquals(session.receive(pong), { kind: "ready", reply: null });
 * ```
 */
export function createDom0Session(vm: VmName): Dom0Session {
  const state: State = {
    phase: "new",
    common: NO_CAPABILITIES,
    credits: 0,
    lastSeq: 0,
    open: new Map(),
    pings: 0,
    pongs: 0,
  };
  const { open } = state;
  return {
    receive(frame) {
      const message = decodeFromVm(frame);
      return state.phase === "ready" ? receive(state, message) : receiveFirst(state, message);
    },
    hello: () =>
      concat([
        encodeFromDom0({ kind: "hello", version: PROTOCOL_VERSION, vm }),
        encodeFromDom0({ kind: "ping", token: CAPABILITY_PING }),
      ]),
    credit(count) {
      state.credits += count;
      const slots = state.credits + open.size;
      if (slots > MAX_OPEN_REQUESTS) throw new Error("bug: more credits than slots");
      return encodeFromDom0({ kind: "credit", count });
    },
    ping: () =>
      state.pings > state.pongs ? null : encodeFromDom0({ kind: "ping", token: ++state.pings }),
    accepted: (seq) => encodeFromDom0({ kind: "accepted", seq }),
    parked(seq) {
      if (!state.common.has("operations")) return null;
      find(state, seq).parked = true;
      return encodeFromDom0({ kind: "parked", seq });
    },
    approved: (seq) => approved(state, seq),
    pull: (seq, offset, bytes) => pull(state, seq, offset, bytes),
    want: (seq, offset) => want(state, seq, offset),
    enough: (seq) => enough(state, seq),
    room: (seq) => roomOf(state, seq),
    output(seq, stream, offset, data) {
      useWindow(find(state, seq), offset, data.length, outputFlow(state.common));
      return encodeFromDom0({ kind: "output", seq, stream, offset, data });
    },
    spoken: (outcome) => inAgreedForm(outcome, state.common),
    outcome(seq, outcome, mac) {
      if (!isInForm(outcome, state.common)) throw new Error("bug: an outcome the VM cannot read");
      find(state, seq).answered = true;
      return encodeFromDom0({ kind: "outcome", seq, mac, outcome });
    },
    load: () => ({ open: open.size, credits: state.credits }),
  };
}

interface State {
  phase: "new" | "greeted" | "ready";
  /** What both sides can. */
  common: ReadonlySet<Capability>;
  /** Requests that the VM may send, beside those that are open. */
  credits: number;
  lastSeq: number;
  readonly open: Map<number, OpenRequest>;
  pings: number;
  pongs: number;
}

function find({ open }: State, seq: number): OpenRequest {
  const request = open.get(seq);
  if (request === undefined) throw new ProtocolError("unexpected", `no open request ${seq}`);
  return request;
}

/** The greeting: hello, and what the VM can. */
function receiveFirst(state: State, message: FromVm): VmEvent {
  const { phase } = state;
  if (phase === "new" && message.kind === "hello") {
    if (message.version !== PROTOCOL_VERSION) {
      throw new ProtocolError("bad-version", `version ${message.version}`);
    }
    state.phase = "greeted";
    return { kind: "alive" };
  }
  if (phase === "greeted" && message.kind === "capabilities") {
    state.phase = "ready";
    state.common = inCommon(message.words);
    const reply = encodeFromDom0({ kind: "capabilities", words: CAPABILITIES });
    return { kind: "ready", reply };
  }
  if (phase === "greeted" && message.kind === "pong" && message.token === CAPABILITY_PING) {
    state.phase = "ready";
    return { kind: "ready", reply: null };
  }
  throw new ProtocolError("unexpected", `${message.kind} before the session is ready`);
}

function receive(state: State, message: FromVm): VmEvent {
  switch (message.kind) {
    case "hello":
    case "capabilities":
      throw new ProtocolError("unexpected", `second ${message.kind}`);
    case "request":
    case "request-v1":
      openRequest(state, message);
      return message;
    case "cancel": {
      const request = find(state, message.seq);
      if (request.cancelled) throw new ProtocolError("unexpected", "second cancel");
      request.cancelled = true;
      return message;
    }
    case "window":
      returnWindow(find(state, message.seq), message.bytes);
      return { kind: "room", seq: message.seq };
    case "payload":
      takePayload(find(state, message.seq), message.offset, message.data.length);
      return { kind: "payload", seq: message.seq, data: message.data };
    case "chunk": {
      const { kind, seq, ...chunk } = message;
      const { chunks, answered } = find(state, seq);
      const counts = noteChunk(chunks, chunk.offset, chunk.data.length, chunk.isEnd);
      return counts && !answered ? { kind, seq, chunk } : { kind: "alive" };
    }
    case "ack": {
      const { answered } = find(state, message.seq);
      if (!answered) throw new ProtocolError("unexpected", "ack of no outcome");
      state.open.delete(message.seq);
      return { kind: "done", seq: message.seq };
    }
    case "pong":
      if (state.pongs === state.pings || message.token !== state.pings) {
        throw new ProtocolError("unexpected", "pong to no ping");
      }
      state.pongs++;
      return { kind: "alive" };
  }
}

function openRequest(
  state: State,
  message: Extract<FromVm, { kind: "request" | "request-v1" }>,
): void {
  const { seq } = message;
  if (state.credits === 0) throw new ProtocolError("no-credit", `request ${seq}`);
  if (seq !== state.lastSeq + 1) throw new ProtocolError("unexpected", `${seq}`);
  if (message.kind === "request" && !isAgreedOn(message.request, state)) {
    throw new ProtocolError("unexpected", "a request that was not agreed on");
  }
  state.credits--;
  state.lastSeq = seq;
  state.open.set(seq, {
    parked: false,
    unacknowledgedBytes: 0,
    cancelled: false,
    answered: false,
    nextOffset: 0,
    pulledBytes: 0,
    chunks: { ...NO_CHUNKS },
  });
}

function isAgreedOn({ fields }: UnverifiedRequest, { common }: State): boolean {
  return neededCapabilities(fields).every((needed) => common.has(needed));
}

function pull(state: State, seq: number, offset: number, bytes: number): Bytes {
  notePull(find(state, seq), offset, bytes);
  return encodeFromDom0({ kind: "pull", seq, offset, bytes });
}

function approved(state: State, seq: number): Bytes | null {
  const request = find(state, seq);
  if (!request.parked) return null;
  request.parked = false;
  return encodeFromDom0({ kind: "accepted", seq });
}

function want(state: State, seq: number, offset: number): Bytes {
  noteWant(find(state, seq).chunks, offset);
  return encodeFromDom0({ kind: "want", seq, offset });
}

function enough(state: State, seq: number): Bytes {
  find(state, seq).chunks.isEnough = true;
  return encodeFromDom0({ kind: "enough", seq });
}

function roomOf({ open, common }: State, seq: number): number {
  const request = open.get(seq);
  if (request === undefined || request.answered) return 0;
  const { chunkBytes, windowBytes } = outputFlow(common);
  return Math.min(chunkBytes, windowBytes - request.unacknowledgedBytes);
}

function useWindow(
  request: OpenRequest,
  offset: number,
  bytes: number,
  { chunkBytes, windowBytes }: OutputFlow,
): void {
  request.unacknowledgedBytes += bytes;
  if (
    bytes > chunkBytes || request.unacknowledgedBytes > windowBytes ||
    offset + bytes > MAX_STREAM_BYTES
  ) {
    throw new Error("bug: output past its window");
  }
}

function returnWindow(request: OpenRequest, bytes: number): void {
  if (bytes === 0 || bytes > request.unacknowledgedBytes) {
    throw new ProtocolError("unexpected", `window of ${bytes} bytes`);
  }
  request.unacknowledgedBytes -= bytes;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * One session, seen from the VM: the mirror of dom0_session.ts, where the drawing is. Pure.
 *
 * @module
 */

import type { Bytes } from "./bytes.ts";
import { type ChunkFlow, hasChunkRoom, NO_CHUNKS, noteChunk, noteWant } from "./live/chunk_flow.ts";
import { CAPABILITIES, type Capability, inCommon, NO_CAPABILITIES } from "./capability.ts";
import type { Frame } from "./frame.ts";
import { PAYLOAD_WINDOW_BYTES } from "./limits.ts";
import {
  CAPABILITY_PING,
  decodeFromDom0,
  encodeFromVm,
  type FromDom0,
  PROTOCOL_VERSION,
  type StreamNumber,
} from "./message.ts";
import { isInForm } from "./outcome.ts";
import { outputFlow } from "./output_flow.ts";
import { ProtocolError } from "./refusal.ts";
import type { UnverifiedV1Request } from "./v1.ts";
import type { VmName } from "./vm_name.ts";

/** What dom0's message, once checked, asks of the VM side. */
export type Dom0Event =
  | { readonly kind: "hello"; readonly vm: VmName; readonly reply: Bytes }
  | { readonly kind: "credit" }
  | { readonly kind: "ping"; readonly reply: Bytes }
  /** dom0 has named its capabilities: no reply. */
  | { readonly kind: "capabilities" }
  /** "accepted" comes a second time if it was parked and a person approved it. */
  | AboutRequest;

/** What dom0 says about one request. */
type AboutRequest = Extract<
  FromDom0,
  {
    readonly kind: "accepted" | "parked" | "pull" | "want" | "enough" | "output" | "outcome";
  }
>;

interface SentRequest {
  phase: "sent" | "accepted" | "parked" | "approved";
  answered: boolean;
  cancelled: boolean;
  unconfirmedBytes: number;
  readonly nextOffset: Map<StreamNumber, number>;
  /** How far dom0 has asked for its payload; null: it has not. */
  pulledTo: number | null;
  /** How far its live stream is. */
  readonly chunks: ChunkFlow;
}

/** A chunk as it lies in the queue, and what of it has to be known here. */
export interface QueuedChunk {
  /** CHUNK_ROOM_BYTES, then its file; it becomes the frame. */
  readonly wire: Bytes;
  /** Of its data. */
  readonly bytes: number;
  readonly isEnd: boolean;
}

export interface VmSession {
  /** @throws {ProtocolError} on anything but what the drawing allows; the session is over */
  receive(frame: Frame): Dom0Event;
  /** Whether a request may be sent now. */
  hasCredit(): boolean;
  /** Whether both sides have named it. It is known when there is a credit. */
  agreed(capability: Capability): boolean;
  request(envelope: Uint8Array): { readonly seq: number; readonly frame: Bytes };
  requestV1(request: UnverifiedV1Request): { readonly seq: number; readonly frame: Bytes };
  /** null if it was cancelled before, or has its outcome. */
  cancel(seq: number): Bytes | null;
  /** What dom0 asked for, in order; no data: the rest cannot be read. */
  payload(seq: number, offset: number, data: Uint8Array): Bytes;
  /** Where the next chunk of its live stream belongs; null: dom0 wants none now. */
  nextChunk(seq: number): number | null;
  /** Whether dom0 has room for so many bytes of it now. */
  hasChunkRoom(seq: number, bytes: number): boolean;
  /**
   * The next chunk, as its client signed it.
   *
   * @returns null: it has to wait until dom0 has room for so many bytes
   */
  chunk(seq: number, chunk: QueuedChunk): Bytes | null;
  /** Says that this many bytes of output are in the file. */
  window(seq: number, bytes: number): Bytes;
  /** Says that the outcome is in the results folder. */
  ack(seq: number): Bytes;
}

/**
 * @example
 * ```ts
 * import { assert, assertEquals } from "@std/assert";
 * import { parseVmName } from "./vm_name.ts";
 *
 * const session = createVmSession();
 * assert(!session.hasCredit());
 * const untrustedPayload = new Uint8Array([0, 2, ...new TextEncoder().encode("work")]);
 * const event = session.receive({ type: 0x01, untrustedPayload });
 * assert(event.kind === "hello");
 * assertEquals(event.vm, parseVmName("work"));
 * ```
 */
export function createVmSession(): VmSession {
  const state: State = {
    phase: "new",
    common: NO_CAPABILITIES,
    credits: 0,
    lastSeq: 0,
    sent: new Map(),
  };
  const { sent } = state;
  return {
    receive: (frame) => receive(state, decodeFromDom0(frame)),
    hasCredit: () => state.credits > 0,
    agreed: (capability) => state.common.has(capability),
    request(envelope) {
      const seq = nextSeq(state);
      return { seq, frame: encodeFromVm({ kind: "request", seq, envelope }) };
    },
    requestV1(request) {
      const seq = nextSeq(state);
      return { seq, frame: encodeFromVm({ kind: "request-v1", seq, request }) };
    },
    cancel(seq) {
      const request = sent.get(seq);
      if (request === undefined || request.cancelled || request.answered) return null;
      request.cancelled = true;
      return encodeFromVm({ kind: "cancel", seq });
    },
    payload: (seq, offset, data) => encodeFromVm({ kind: "payload", seq, offset, data }),
    nextChunk(seq) {
      const chunks = sent.get(seq)?.chunks;
      return chunks !== undefined && hasChunkRoom(chunks, 0) ? chunks.nextOffset : null;
    },
    hasChunkRoom: (seq, bytes) => hasChunkRoom(find(state, seq).chunks, bytes),
    chunk(seq, { wire, bytes, isEnd }) {
      const { chunks } = find(state, seq);
      const offset = chunks.nextOffset;
      if (offset === null || !hasChunkRoom(chunks, bytes)) return null;
      noteChunk(chunks, offset, bytes, isEnd);
      return encodeFromVm({ kind: "chunk", seq, offset, wire });
    },
    window(seq, bytes) {
      find(state, seq).unconfirmedBytes -= bytes;
      return encodeFromVm({ kind: "window", seq, bytes });
    },
    ack(seq) {
      find(state, seq);
      sent.delete(seq);
      return encodeFromVm({ kind: "ack", seq });
    },
  };
}

interface State {
  /** "asked": dom0 has asked for capabilities but not yet named its own. */
  phase: "new" | "ready" | "asked" | "open";
  /** What both sides can. */
  common: ReadonlySet<Capability>;
  credits: number;
  lastSeq: number;
  readonly sent: Map<number, SentRequest>;
}

function find({ sent }: State, seq: number): SentRequest {
  const request = sent.get(seq);
  if (request === undefined) throw new ProtocolError("unexpected", `no open request ${seq}`);
  return request;
}

/** Spends a credit on one more request. */
function nextSeq(state: State): number {
  if (state.credits === 0) throw new Error("bug: request without credit");
  state.credits--;
  state.sent.set(++state.lastSeq, {
    phase: "sent",
    answered: false,
    cancelled: false,
    unconfirmedBytes: 0,
    nextOffset: new Map(),
    pulledTo: null,
    chunks: { ...NO_CHUNKS },
  });
  return state.lastSeq;
}

function receive(state: State, message: FromDom0): Dom0Event {
  const isNew = state.phase === "new";
  if (isNew !== (message.kind === "hello")) {
    throw new ProtocolError("unexpected", `${message.kind} ${isNew ? "before hello" : "again"}`);
  }
  switch (message.kind) {
    case "hello": {
      if (message.version !== PROTOCOL_VERSION) {
        throw new ProtocolError("bad-version", `version ${message.version}`);
      }
      state.phase = "ready";
      const reply = encodeFromVm({ kind: "hello", version: PROTOCOL_VERSION });
      return { kind: "hello", vm: message.vm, reply };
    }
    case "credit":
      state.phase = "open";
      state.credits += message.count;
      return { kind: "credit" };
    case "capabilities":
      if (state.phase !== "asked") throw new ProtocolError("unexpected", "capabilities");
      state.phase = "open";
      state.common = inCommon(message.words);
      return { kind: "capabilities" };
    case "ping":
      return { kind: "ping", reply: answerPing(state, message.token) };
    case "accepted":
    case "parked":
    case "pull":
    case "want":
    case "enough":
    case "output":
    case "outcome":
      receiveFor(find(state, message.seq), message, state.common);
      return message;
  }
}

/** The first ping of all asks whether capabilities are known here. */
function answerPing(state: State, token: number): Bytes {
  if (token !== CAPABILITY_PING) return encodeFromVm({ kind: "pong", token });
  if (state.phase !== "ready") throw new ProtocolError("unexpected", "question again");
  state.phase = "asked";
  return encodeFromVm({ kind: "capabilities", words: CAPABILITIES });
}

/** What dom0 may say about one request, in order. */
function receiveFor(
  request: SentRequest,
  message: AboutRequest,
  common: ReadonlySet<Capability>,
): void {
  const { phase } = request;
  if (request.answered) throw new ProtocolError("unexpected", `${message.kind} after the outcome`);
  switch (message.kind) {
    case "accepted":
      if (phase === "sent") request.phase = "accepted";
      else if (phase === "parked" && request.nextOffset.size === 0) request.phase = "approved";
      else throw new ProtocolError("unexpected", "accepted again");
      return;
    case "parked":
      if (!common.has("operations") || phase !== "accepted" || request.nextOffset.size > 0) {
        throw new ProtocolError("unexpected", "parked");
      }
      request.phase = "parked";
      return;
    case "pull": {
      const { offset, bytes } = message;
      if (
        !common.has("payloads") || phase !== "accepted" || request.nextOffset.size > 0 ||
        bytes === 0 || bytes > PAYLOAD_WINDOW_BYTES || offset !== (request.pulledTo ?? offset)
      ) {
        throw new ProtocolError("unexpected", `pull of ${bytes} bytes at ${offset}`);
      }
      request.pulledTo = offset + bytes;
      return;
    }
    case "want":
    case "enough":
      if (!common.has("streams") || (phase !== "accepted" && phase !== "approved")) {
        throw new ProtocolError("unexpected", message.kind);
      }
      if (message.kind === "want") noteWant(request.chunks, message.offset);
      else request.chunks.isEnough = true;
      return;
    case "output": {
      const expected = request.nextOffset.get(message.stream) ?? 0;
      const { chunkBytes, windowBytes } = outputFlow(common);
      request.unconfirmedBytes += message.data.length;
      if (
        message.offset !== expected || message.data.length === 0 ||
        message.data.length > chunkBytes || request.unconfirmedBytes > windowBytes
      ) {
        throw new ProtocolError("unexpected", `output at ${message.offset}, want ${expected}`);
      }
      request.nextOffset.set(message.stream, expected + message.data.length);
      return;
    }
    case "outcome":
      if (!isInForm(message.outcome, common)) {
        throw new ProtocolError("bad-meta", "not in the form that was agreed");
      }
      request.answered = true;
  }
}

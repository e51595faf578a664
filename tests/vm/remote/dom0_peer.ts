// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A dom0 for the tests of the VM side: the real session of dom0 over pipes to a real queue
 * service. It does what a test tells it to, a step at a time, or serves by itself; it can also
 * send what no dom0 would, and cut the stream anywhere.
 *
 * @module
 */

import { CAPABILITIES, type Capability } from "../../../shared/protocol/capability.ts";
import { createSender, readFrames } from "../../../shared/io/byte_stream.ts";
import { authenticate, type AuthenticRequest } from "../../../shared/protocol/envelope.ts";
import { createDom0Session, type VmEvent } from "../../../shared/protocol/dom0_session.ts";
import { MAX_OUTPUT_CHUNK_BYTES } from "../../../shared/protocol/limits.ts";
import { createFrameDecoder } from "../../../shared/protocol/frame.ts";
import {
  CAPABILITY_PING,
  CAPS_FROM_VM,
  encodeFromDom0,
  encodeFromVm,
  PROTOCOL_VERSION,
  type StreamNumber,
} from "../../../shared/protocol/message.ts";
import {
  EMPTY_STREAM,
  EXIT_OF_KIND,
  type Outcome,
  type OutcomeKind,
  refusedOutcome,
  signOutcome,
  type StreamSummary,
} from "../../../shared/protocol/outcome.ts";
import type { RefusalReason } from "../../../shared/protocol/refusal.ts";
import type { RequestId } from "../../../shared/protocol/request_id.ts";
import { authenticateV1 } from "../../../shared/protocol/v1.ts";
import { parseVmName } from "../../../shared/protocol/vm_name.ts";
import { concat } from "../../../shared/protocol/bytes.ts";
import { writeFully } from "../../../shared/io/files.ts";
import { createHash } from "node:crypto";
import { queueService, type Vm, VM_NAME } from "./fixture.ts";

export interface PeerRequest {
  readonly seq: number;
  readonly request: AuthenticRequest;
}

export interface UncheckedRequest {
  readonly seq: number;
  readonly id: RequestId;
  readonly nonce: string;
}

export interface Dom0Peer {
  /** The next request; waits for it. */
  nextRequest(): Promise<PeerRequest>;
  /** The next event of that kind, dropping others but requests. */
  next(kind: VmEvent["kind"]): Promise<VmEvent>;
  accept(seq: number): void;
  /** That part of its payload, as far as the VM can read it. */
  pull(seq: number, offset: number, bytes: number): Promise<Uint8Array>;
  /** A person is asked. */
  park(seq: number): void;
  /** That person said yes. */
  approve(seq: number): void;
  output(seq: number, stream: StreamNumber, data: Uint8Array | string): Promise<void>;
  /** Ends a request with what was output, and waits for the ack. */
  finish(
    peerRequest: PeerRequest,
    kind?: OutcomeKind,
    exitCode?: number,
    limit?: number | null,
  ): Promise<void>;
  /** The same without waiting. */
  sendOutcome: Dom0Peer["finish"];
  refuse(peerRequest: PeerRequest, reason: RefusalReason): Promise<void>;
  /** The next request of protocol 2, whoever signed it. */
  nextUnchecked(): Promise<UncheckedRequest>;
  /** Refuses it without a signature worth the name, and does not wait. */
  refuseUnchecked(request: UncheckedRequest, reason: RefusalReason): void;
  credit(count: number): void;
  ping(): void;
  /** Any bytes at all. */
  raw(bytes: Uint8Array): Promise<void>;
  readonly pid: number;
  kill(signal?: Deno.Signal): Promise<Deno.CommandStatus>;
  /** Ends stdin, as a qrexec-client that went away. */
  close(): Promise<Deno.CommandStatus>;
  /** Resolves when the service has ended, with what it said. */
  readonly ended: Promise<{ readonly status: Deno.CommandStatus; readonly stderr: string }>;
}

export interface PeerOptions {
  readonly credits?: number;
  /** Do not even say hello. */
  readonly mute?: boolean;
  /** Be a dom0 that knows no capabilities. */
  readonly first?: boolean;
  /** Be a dom0 that names these; it must say nothing that needs others. */
  readonly names?: readonly Capability[];
}

export async function connectPeer(
  vm: Vm,
  { credits = 16, mute = false, first = false, names = CAPABILITIES }: PeerOptions = {},
): Promise<Dom0Peer> {
  const name = parseVmName(VM_NAME);
  const child = queueService(vm).spawn();
  const session = createDom0Session(name);
  const writer = child.stdin.getWriter();
  const write = async (bytes: Uint8Array) => {
    await writer.write(bytes);
    return bytes.length;
  };
  const sender = createSender((bytes) => writeFully({ write }, bytes), () => {});
  const events: VmEvent[] = [];
  const wakers = new Set<() => void>();
  const wake = () => {
    for (const waker of wakers) waker();
    wakers.clear();
  };
  const sent = new Map<string, { bytes: number; hash: ReturnType<typeof createHash> }>();

  const reading = readFrames(child.stdout, CAPS_FROM_VM, (frame) => {
    events.push(session.receive(frame));
    wake();
  }).catch(() => {}).finally(() => {
    finished = true;
    wake();
  });
  const firstHello = () => encodeFromDom0({ kind: "hello", version: PROTOCOL_VERSION, vm: name });
  let finished = false;
  const stderr = new Response(child.stderr).text();
  const ended = (async () => {
    const status = await child.status;
    await reading;
    return { status, stderr: await stderr };
  })();

  const take = async (matches: (event: VmEvent) => boolean): Promise<VmEvent> => {
    for (;;) {
      const at = events.findIndex(matches);
      const [event] = at < 0 ? [] : events.splice(at, 1);
      if (event !== undefined) return event;
      if (finished) throw new Error(`the service ended: ${await stderr}`);
      await new Promise<void>((resolve) => wakers.add(resolve));
    }
  };
  const streamOf = (seq: number, stream: StreamNumber) => {
    const key = `${seq} ${stream}`;
    const state = sent.get(key) ?? { bytes: 0, hash: createHash("sha256") };
    sent.set(key, state);
    return state;
  };
  const summary = (seq: number, stream: StreamNumber): StreamSummary => {
    const state = sent.get(`${seq} ${stream}`);
    return state === undefined
      ? EMPTY_STREAM
      : { bytes: state.bytes, sha256: state.hash.copy().digest("hex") };
  };
  const sendIfKnown = (frame: Uint8Array | null): void => {
    if (frame !== null) void sender.send(frame);
  };
  const sendOutcome: Dom0Peer["sendOutcome"] = async (
    { seq, request },
    kind = "done",
    exit = 0,
    limit = null,
  ) => {
    const outcome: Outcome = session.spoken({
      ...{ id: request.id, nonce: request.nonce, kind, reason: null, limit },
      exitCode: EXIT_OF_KIND[kind] ?? exit,
      ...{ startedAtMs: Date.now(), durationMs: 7, out: summary(seq, 1), err: summary(seq, 2) },
    });
    void sender.send(session.outcome(seq, outcome, await signOutcome(vm.key, name, outcome)));
  };

  if (!mute) {
    void sender.send(first ? firstHello() : session.hello());
    if (first) { // its own session asks all the same, and hears from a VM of the first form
      const pong = encodeFromVm({ kind: "pong", token: CAPABILITY_PING });
      await take((event) => event.kind === "alive");
      for (const frame of createFrameDecoder(CAPS_FROM_VM).push(pong)) session.receive(frame);
    } else {
      const ready = await take((event) => event.kind === "ready");
      if (ready.kind === "ready" && ready.reply !== null) {
        void sender.send(encodeFromDom0({ kind: "capabilities", words: names }));
      }
    }
    if (credits > 0) void sender.send(session.credit(credits));
  }
  const peer: Dom0Peer = {
    async nextRequest() {
      const event = await take(({ kind }) => kind === "request" || kind === "request-v1");
      const request = event.kind === "request"
        ? await authenticate(event.request, vm.key)
        : event.kind === "request-v1"
        ? await authenticateV1(event.request, vm.key, name)
        : null;
      if (request === null || !("seq" in event)) throw new Error("a request with a wrong MAC");
      return { seq: event.seq, request };
    },
    next: (kind) => take((event) => event.kind === kind),
    accept: (seq) => void sender.send(session.accepted(seq)),
    async pull(seq, offset, bytes) {
      void sender.send(session.pull(seq, offset, bytes));
      const pieces: Uint8Array[] = [];
      for (let got = 0; got < bytes;) {
        const event = await take(({ kind }) => kind === "payload");
        if (event.kind !== "payload" || event.data.length === 0) break;
        pieces.push(event.data.slice());
        got += event.data.length;
      }
      return concat(pieces);
    },
    park: (seq) => sendIfKnown(session.parked(seq)),
    approve: (seq) => sendIfKnown(session.approved(seq)),
    async output(seq, stream, data) {
      let rest = typeof data === "string" ? new TextEncoder().encode(data) : data;
      const state = streamOf(seq, stream);
      while (rest.length > 0) {
        const room = Math.min(session.room(seq), MAX_OUTPUT_CHUNK_BYTES);
        if (room === 0) {
          await take((event) => event.kind === "room");
          continue;
        }
        const chunk = rest.subarray(0, room);
        rest = rest.subarray(chunk.length);
        void sender.send(session.output(seq, stream, state.bytes, chunk));
        state.bytes += chunk.length;
        state.hash.update(chunk);
      }
    },
    sendOutcome,
    async finish(peerRequest, kind, exitCode, limit) {
      await sendOutcome(peerRequest, kind, exitCode, limit);
      await take((event) => event.kind === "done" && event.seq === peerRequest.seq);
    },
    async refuse({ seq, request }, reason) {
      const { id, nonce } = request;
      const outcome = session.spoken(refusedOutcome(id, nonce, reason, summary(seq, 2)));
      void sender.send(session.outcome(seq, outcome, await signOutcome(vm.key, name, outcome)));
      await take((event) => event.kind === "done" && event.seq === seq);
    },
    async nextUnchecked() {
      const event = await take(({ kind }) => kind === "request");
      if (event.kind !== "request") throw new Error("not reached");
      const { id, nonce } = event.request.fields;
      return { seq: event.seq, id, nonce };
    },
    refuseUnchecked({ seq, id, nonce }, reason) {
      const outcome = session.spoken(refusedOutcome(id, nonce, reason));
      void sender.send(session.outcome(seq, outcome, new Uint8Array(32)));
    },
    credit: (count) => void sender.send(session.credit(count)),
    ping() {
      const frame = session.ping();
      if (frame !== null) void sender.send(frame);
    },
    raw: (bytes) => sender.send(bytes),
    pid: child.pid,
    async kill(signal = "SIGKILL") {
      child.kill(signal);
      return (await ended).status;
    },
    async close() {
      await writer.close().catch(() => {});
      return (await ended).status;
    },
    ended,
  };
  return peer;
}

/**
 * Serves every request with a real bash until the service ends: accepted, output as it comes,
 * outcome; cancel is TERM.
 */
export async function serveWithBash(peer: Dom0Peer): Promise<void> {
  const serve = async (peerRequest: PeerRequest): Promise<void> => {
    const { seq, request } = peerRequest;
    peer.accept(seq);
    const child = await startCommand(request);
    let cancelled = false;
    cancels.set(seq, () => {
      cancelled = true;
      child.kill("SIGTERM");
    });
    const copy = async (from: ReadableStream<Uint8Array>, stream: StreamNumber) => {
      for await (const chunk of from) await peer.output(seq, stream, chunk);
    };
    await Promise.all([copy(child.stdout, 1), copy(child.stderr, 2)]);
    const { code } = await child.status;
    await peer.finish(peerRequest, cancelled ? "cancelled" : "done", code);
    peer.credit(1);
  };
  const cancels = new Map<number, () => void>();
  const watchCancels = async () => {
    for (;;) {
      const event = await peer.next("cancel");
      if (event.kind === "cancel") cancels.get(event.seq)?.();
    }
  };
  watchCancels().catch(() => {});
  try {
    for (;;) serve(await peer.nextRequest()).catch(() => {});
  } catch {
    // the service ended
  }
}

/** A script goes in through stdin, so that its bytes stay what they are. */
async function startCommand({ mode, body }: AuthenticRequest): Promise<Deno.ChildProcess> {
  const words = mode === "argv"
    ? new TextDecoder().decode(body).split("\0").slice(0, -1)
    : ["bash"];
  const [program = "", ...args] = words;
  const child = new Deno.Command(program, {
    args,
    stdin: mode === "argv" ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (mode === "script") await new Blob([body]).stream().pipeTo(child.stdin);
  return child;
}

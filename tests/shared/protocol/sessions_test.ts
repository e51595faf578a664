// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The two sessions talk to each other, over two byte streams that are cut anywhere, in an order
 * that a seed decides. Neither may ever see a violation, whatever the order, and nothing may
 * get lost.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { type Bytes, concat } from "../../../shared/protocol/bytes.ts";
import { createDom0Session, type Dom0Session } from "../../../shared/protocol/dom0_session.ts";
import { createFrameDecoder, type FrameDecoder } from "../../../shared/protocol/frame.ts";
import { MAX_OPEN_REQUESTS, MAX_OUTPUT_CHUNK_BYTES } from "../../../shared/protocol/limits.ts";
import {
  CAPS_FROM_DOM0,
  CAPS_FROM_VM,
  type StreamNumber,
} from "../../../shared/protocol/message.ts";
import { createVmSession, type VmSession } from "../../../shared/protocol/vm_session.ts";
import { createPrng, type Prng } from "../../fuzz/prng.ts";
import { ENVELOPE, MAC, OUTCOME, V1_REQUEST, VM } from "./session_fixtures.ts";

const STEPS = 5000;
const SEEDS = 10;

/** Bytes on their way to one side. */
interface Pipe {
  waiting: Bytes;
  readonly decoder: FrameDecoder;
}

/** One request, as both sides keep it. */
interface Exchange {
  isAccepted: boolean;
  isParked: boolean;
  wasParked: boolean;
  isAnswered: boolean;
  readonly sent: Record<StreamNumber, number>;
  readonly received: Record<StreamNumber, number>;
  unconfirmed: number;
  outcomes: number;
  acked: boolean;
  done: boolean;
  cancels: number;
}

interface World {
  readonly prng: Prng;
  readonly dom0: Dom0Session;
  readonly vm: VmSession;
  readonly toVm: Pipe;
  readonly toDom0: Pipe;
  /** What dom0 knows of, by number. */
  readonly atDom0: Map<number, Exchange>;
  /** What the VM sent and has not acknowledged. */
  readonly atVm: Map<number, Exchange>;
  readonly all: Exchange[];
  ready: boolean;
  pingsOpen: number;
  readonly did: Record<string, number>;
}

function createWorld(seed: number): World {
  const dom0 = createDom0Session(VM);
  return {
    prng: createPrng(seed),
    dom0,
    vm: createVmSession(),
    toVm: { waiting: dom0.hello(), decoder: createFrameDecoder(CAPS_FROM_DOM0) },
    toDom0: { waiting: new Uint8Array(0), decoder: createFrameDecoder(CAPS_FROM_VM) },
    atDom0: new Map(),
    atVm: new Map(),
    all: [],
    ready: false,
    pingsOpen: 0,
    did: {},
  };
}

const send = (pipe: Pipe, wire: Bytes): void => {
  pipe.waiting = concat([pipe.waiting, wire]);
};

/** The bytes of a request's output: place and stream decide each. */
const byteAt = (stream: StreamNumber, offset: number): number => (offset * 7 + stream) & 0xff;

/** Each thing that may happen next; false if it cannot now. */
const ACTIONS: Readonly<Record<string, (world: World) => boolean>> = {
  deliverToVm(world) {
    return deliver(world.toVm, world.prng, (frame) => {
      const event = world.vm.receive(frame);
      switch (event.kind) {
        case "hello":
        case "ping":
          return send(world.toDom0, event.reply);
        case "output": {
          const exchange = find(world.atVm, event.seq);
          assertEquals(event.offset, exchange.received[event.stream], "offset");
          event.data.forEach((byte, i) => {
            if (byte !== byteAt(event.stream, event.offset + i)) throw new Error("wrong byte");
          });
          exchange.received[event.stream] += event.data.length;
          exchange.unconfirmed += event.data.length;
          return;
        }
        case "outcome":
          find(world.atVm, event.seq).outcomes++;
      }
    });
  },
  deliverToDom0(world) {
    return deliver(world.toDom0, world.prng, (frame) => {
      const event = world.dom0.receive(frame);
      switch (event.kind) {
        case "ready":
          world.ready = true;
          if (event.reply !== null) send(world.toVm, event.reply);
          return;
        case "alive":
          if (world.ready) world.pingsOpen--;
          return;
        case "request":
        case "request-v1":
          world.atDom0.set(event.seq, find(world.atVm, event.seq));
          return;
        case "cancel":
          find(world.atDom0, event.seq).cancels++;
          return;
        case "done":
          find(world.atDom0, event.seq).done = true;
          world.atDom0.delete(event.seq);
      }
    });
  },
  credit(world) {
    const { open, credits } = world.dom0.load();
    const slots = MAX_OPEN_REQUESTS - open - credits;
    if (!world.ready || slots === 0) return false;
    send(world.toVm, world.dom0.credit(1 + world.prng.below(slots)));
    return true;
  },
  ping(world) {
    if (!world.ready) return false;
    const wire = world.dom0.ping();
    assertEquals(wire === null, world.pingsOpen > 0, "one ping at a time");
    if (wire === null) return false;
    world.pingsOpen++;
    send(world.toVm, wire);
    return true;
  },
  accept(world) {
    return withOne(
      world,
      world.atDom0,
      ({ isAccepted, isAnswered }) => !isAccepted && !isAnswered,
      (seq, exchange) => {
        exchange.isAccepted = true;
        send(world.toVm, world.dom0.accepted(seq));
      },
    );
  },
  park(world) {
    if (!world.prng.oneIn(2)) return false;
    return withOne(
      world,
      world.atDom0,
      ({ isAccepted, isAnswered, wasParked, sent }) =>
        isAccepted && !isAnswered && !wasParked && sent[1] + sent[2] === 0,
      (seq, exchange) => {
        exchange.isParked = exchange.wasParked = true;
        const wire = world.dom0.parked(seq);
        if (wire === null) throw new Error("both sides know it");
        send(world.toVm, wire);
      },
    );
  },
  approve(world) {
    return withOne(world, world.atDom0, (exchange) => {
      return exchange.isParked && !exchange.isAnswered;
    }, (seq, exchange) => {
      exchange.isParked = false;
      const wire = world.dom0.approved(seq);
      if (wire === null) throw new Error("it was parked");
      send(world.toVm, wire);
    });
  },
  output(world) {
    return withOne(
      world,
      world.atDom0,
      (exchange, seq) =>
        exchange.isAccepted && !exchange.isParked && !exchange.isAnswered &&
        world.dom0.room(seq) > 0,
      (seq, exchange) => {
        const { prng, dom0 } = world;
        const stream = prng.pick([1, 2] as const);
        const limit = prng.oneIn(4) ? MAX_OUTPUT_CHUNK_BYTES : 300;
        const bytes = Math.min(dom0.room(seq), 1 + prng.below(limit));
        const offset = exchange.sent[stream];
        const data = Uint8Array.from({ length: bytes }, (_, i) => byteAt(stream, offset + i));
        exchange.sent[stream] += bytes;
        send(world.toVm, dom0.output(seq, stream, offset, data));
      },
    );
  },
  answer(world) { // accepted or not: a refusal is an outcome at once
    if (!world.prng.oneIn(3)) return false;
    return withOne(world, world.atDom0, ({ isAnswered }) => !isAnswered, (seq, exchange) => {
      exchange.isAnswered = true;
      send(world.toVm, world.dom0.outcome(seq, world.dom0.spoken(OUTCOME), MAC));
    });
  },
  request(world) {
    if (!world.vm.hasCredit()) return false;
    const { vm, prng } = world;
    const { seq, frame } = prng.oneIn(4) ? vm.requestV1(V1_REQUEST) : vm.request(ENVELOPE);
    const exchange: Exchange = {
      ...{ isAccepted: false, isAnswered: false, unconfirmed: 0, outcomes: 0, acked: false },
      ...{ isParked: false, wasParked: false },
      ...{ done: false, cancels: 0, sent: { 1: 0, 2: 0 }, received: { 1: 0, 2: 0 } },
    };
    world.atVm.set(seq, exchange);
    world.all.push(exchange);
    send(world.toDom0, frame);
    return true;
  },
  cancel(world) {
    if (!world.prng.oneIn(4)) return false;
    return withOne(world, world.atVm, () => true, (seq) => {
      const wire = world.vm.cancel(seq);
      if (wire !== null) send(world.toDom0, wire);
    });
  },
  confirm(world) {
    return withOne(world, world.atVm, ({ unconfirmed }) => unconfirmed > 0, (seq, exchange) => {
      const bytes = world.prng.oneIn(2)
        ? exchange.unconfirmed
        : 1 + world.prng.below(exchange.unconfirmed);
      exchange.unconfirmed -= bytes;
      send(world.toDom0, world.vm.window(seq, bytes));
    });
  },
  ack(world) { // whether or not all output was confirmed
    return withOne(world, world.atVm, ({ outcomes }) => outcomes > 0, (seq, exchange) => {
      exchange.acked = true;
      world.atVm.delete(seq);
      send(world.toDom0, world.vm.ack(seq));
    });
  },
};

function deliver(
  pipe: Pipe,
  prng: Prng,
  receive: (frame: ReturnType<FrameDecoder["push"]>[number]) => void,
): boolean {
  if (pipe.waiting.length === 0) return false;
  const bytes = 1 + prng.below(prng.oneIn(3) ? 20 : pipe.waiting.length);
  const chunk = pipe.waiting.subarray(0, bytes);
  pipe.waiting = pipe.waiting.subarray(bytes);
  pipe.decoder.push(chunk).forEach(receive);
  return true;
}

function withOne(
  { prng }: World,
  from: ReadonlyMap<number, Exchange>,
  fits: (exchange: Exchange, seq: number) => boolean,
  act: (seq: number, exchange: Exchange) => void,
): boolean {
  const fitting = [...from].filter(([seq, exchange]) => fits(exchange, seq));
  if (fitting.length === 0) return false;
  act(...prng.pick(fitting));
  return true;
}

function find(exchanges: ReadonlyMap<number, Exchange>, seq: number): Exchange {
  const exchange = exchanges.get(seq);
  if (exchange === undefined) throw new Error(`the test lost request ${seq}`);
  return exchange;
}

function step(world: World, names: readonly string[]): boolean {
  const name = world.prng.pick(names);
  const did = ACTIONS[name]?.(world) ?? false;
  if (did) world.did[name] = (world.did[name] ?? 0) + 1;
  return did;
}

/** Ends what is open: both sides answer and acknowledge, and ask for nothing new. */
function drain(world: World): void {
  const closing = ["deliverToVm", "deliverToDom0", "answer", "ack"];
  for (let idle = 0; idle < 200;) idle = step(world, closing) ? 0 : idle + 1;
}

Deno.test(`two sessions never see a violation, in ${SEEDS} random orders of ${STEPS} steps`, () => {
  const names = Object.keys(ACTIONS);
  let requests = 0;
  const did: Record<string, number> = {};
  for (let seed = 1; seed <= SEEDS; seed++) {
    const world = createWorld(seed);
    try {
      for (let i = 0; i < STEPS; i++) step(world, names);
      drain(world);
      assertEquals(world.atVm.size, 0, "requests the VM still waits for");
      assertEquals(world.atDom0.size, 0, "requests dom0 still holds");
      assertEquals(world.dom0.load().open, 0, "open requests of the session");
      assertEquals(world.pingsOpen, 0, "pings without a pong");
      for (const exchange of world.all) {
        assertEquals(exchange.outcomes, 1, "outcomes of a request");
        assert(exchange.acked && exchange.done, "an ack was lost");
        assert(exchange.cancels <= 1, "cancelled twice");
        assertEquals(exchange.received[1], exchange.sent[1], "bytes of stdout");
        assertEquals(exchange.received[2], exchange.sent[2], "bytes of stderr");
      }
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      throw new Error(`seed ${seed}, after ${JSON.stringify(world.did)}: ${text}`);
    }
    requests += world.all.length;
    for (const [name, count] of Object.entries(world.did)) did[name] = (did[name] ?? 0) + count;
  }
  for (const name of names) assert((did[name] ?? 0) > 100, `${name} hardly ever happened`);
  assert(requests > 500, `only ${requests} requests`);
});

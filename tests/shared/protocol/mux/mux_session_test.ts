// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals } from "@std/assert";
import { type Bytes, concat, toHex } from "../../../../shared/protocol/bytes.ts";
import { createFrameDecoder } from "../../../../shared/protocol/frame.ts";
import { MUX_CAPS, type MuxRole } from "../../../../shared/protocol/mux/mux_message.ts";
import {
  createMuxSession,
  type MuxEvent,
  type MuxSession,
} from "../../../../shared/protocol/mux/mux_session.ts";
import {
  MUX_FIRST_WINDOW_BYTES,
  MUX_WINDOW_BUDGET_BYTES,
} from "../../../../shared/protocol/mux/mux_limits.ts";
import { createWindowBudget } from "../../../../shared/protocol/mux/mux_window.ts";
import { MUX_REFUSALS, ProtocolError } from "../../../../shared/protocol/refusal.ts";
import { createPrng } from "../../../fuzz/prng.ts";
import { fromHex, testVectors, type Vector, verdict } from "../vectors.ts";

interface SessionVector extends Vector {
  readonly role: MuxRole;
  /** "< HEX" arrives; anything else is called. " => " is what comes of it. */
  readonly steps: readonly string[];
}

testVectors<SessionVector>("mux_session", ({ role, steps, expect }) => {
  const session = createMuxSession(role);
  const decoder = createFrameDecoder(MUX_CAPS[role]);
  const got = verdict(() => {
    for (const [at, step] of steps.entries()) {
      const [words = "", want] = step.split(" => ");
      const result = words.startsWith("< ")
        ? arrive(session, decoder, words.slice(2))
        : call(session, words.split(" "));
      if (want !== undefined) assertEquals(result, want, `step ${at}: ${words}`);
    }
  });
  assertEquals(got, expect);
});

/** "78*5" stands for five times 78. */
const unpack = (hex: string): Bytes =>
  fromHex(hex.replaceAll(/(..)\*(\d+) ?/g, (_, byte: string, n: string) => byte.repeat(Number(n))));

function arrive(
  session: MuxSession,
  decoder: ReturnType<typeof createFrameDecoder>,
  hex: string,
): string {
  const events = decoder.push(unpack(hex)).map((frame): MuxEvent => session.receive(frame));
  return events.map((event) =>
    "reply" in event ? `${event.kind} ${toHex(event.reply)}` : event.kind
  ).join();
}

const dataFrame = (session: MuxSession, id: number, data: Uint8Array): Bytes =>
  concat([session.dataHead(id, data.length), data]);

function call(session: MuxSession, [name = "", stream, rest = ""]: readonly string[]): string {
  const id = Number(stream);
  const shown = (frame: Bytes | null): string => frame === null ? "none" : toHex(frame);
  switch (name) {
    case "hello":
      return shown(session.hello());
    case "open":
      return shown(session.open().frame);
    case "opened":
      return shown(session.opened(id));
    case "refused": {
      const reason = MUX_REFUSALS.find(([, word]) => word === rest)?.[1];
      assert(reason !== undefined);
      return shown(session.refused(id, reason));
    }
    case "data":
      return shown(dataFrame(session, id, fromHex(rest)));
    case "consumed":
      return shown(session.consumed(id, Number(rest)));
    case "end":
      return shown(session.end(id));
    case "reset":
      return shown(session.reset(id));
    case "ping":
      return shown(session.ping());
    case "room":
      assertEquals(session.room(id), Number(rest));
      return "";
    case "streams":
      assertEquals(session.openStreams(), id);
      return "";
    default:
      throw new Error(`unknown step ${name}`);
  }
}

/** One side that does what it may, at random, and remembers every byte. */
function createSide(role: MuxRole, prng: ReturnType<typeof createPrng>) {
  const session = createMuxSession(role);
  const out: Bytes[] = [];
  const sent = new Map<number, number[]>();
  const got = new Map<number, number[]>();
  const unread = new Map<number, number>();
  const ended = new Set<number>();
  const closed = new Set<number>();
  const put = (frame: Bytes | null): boolean => frame !== null && out.push(frame) > 0;
  let streams: number[] = [];
  /** Opened by the other side and not answered: that may take a while. */
  const asked: number[] = [];
  const answer = (id: number): void => {
    if (prng.below(4) === 0) {
      if (put(session.refused(id, "port-refused"))) closed.add(id);
    } else if (put(session.opened(id))) streams.push(id);
  };
  const act = (): void => {
    const id = streams[prng.below(Math.max(1, streams.length))];
    const what = prng.below(10);
    const waiting = prng.below(3) === 0 ? asked.shift() : undefined;
    if (waiting !== undefined) return answer(waiting);
    if (role === "dialer" && what === 0 && session.mayOpen()) {
      const { stream, frame } = session.open();
      streams.push(stream);
      put(frame);
    } else if (role === "dialer" && what === 1) put(session.ping());
    else if (id === undefined) return;
    else if (what < 6) {
      const bytes = Math.min(session.room(id), prng.below(40_000), 32 * 1024);
      if (bytes === 0) return;
      const data = new Uint8Array(bytes).fill(id + bytes);
      put(dataFrame(session, id, data));
      sent.set(id, [...sent.get(id) ?? [], (id + bytes) & 255, bytes]);
    } else if (what < 8) {
      const bytes = prng.below(1 + (unread.get(id) ?? 0));
      unread.set(id, (unread.get(id) ?? 0) - bytes);
      put(session.consumed(id, bytes));
    } else if (what === 8 && prng.below(8) === 0) {
      if (put(session.end(id))) ended.add(id);
    } else if (prng.below(20) === 0 && (role === "dialer" || session.room(id) > 0)) {
      if (put(session.reset(id))) closed.add(id);
    }
  };
  const receive = (event: MuxEvent): void => {
    if (event.kind === "ready" && role === "acceptor") put(session.hello());
    if ("reply" in event) put(event.reply);
    if (event.kind === "reset" || event.kind === "refused") {
      closed.add(event.stream);
      streams = streams.filter((id) => id !== event.stream);
    }
    if (event.kind === "open") asked.push(event.stream);
    if (event.kind === "data") {
      got.set(event.stream, [
        ...got.get(event.stream) ?? [],
        event.data[0] ?? 0,
        event.data.length,
      ]);
      unread.set(event.stream, (unread.get(event.stream) ?? 0) + event.data.length);
    }
  };
  return { session, out, sent, got, closed, act, receive };
}

Deno.test("two sides that do anything they may never break the protocol, and lose no byte", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const prng = createPrng(seed);
    const [dialer, acceptor] = [createSide("dialer", prng), createSide("acceptor", prng)];
    const decoders = {
      dialer: createFrameDecoder(MUX_CAPS.dialer),
      acceptor: createFrameDecoder(MUX_CAPS.acceptor),
    };
    /** Bytes on the way, cut anywhere. */
    const deliver = (from: typeof dialer, to: typeof dialer, decoder: typeof decoders.dialer) => {
      const wire = concat(from.out.splice(0));
      const cut = prng.below(wire.length + 1);
      for (const part of [wire.subarray(0, cut), wire.subarray(cut)]) {
        for (const frame of decoder.push(part)) to.receive(to.session.receive(frame));
      }
    };
    dialer.out.push(dialer.session.hello());
    for (let turn = 0; turn < 1500; turn++) {
      for (let n = prng.below(4); n > 0; n--) [dialer, acceptor][prng.below(2)]?.act();
      if (prng.below(3) === 0) deliver(dialer, acceptor, decoders.acceptor);
      if (prng.below(3) === 0) deliver(acceptor, dialer, decoders.dialer);
    }
    for (let turn = 0; turn < 4; turn++) {
      deliver(dialer, acceptor, decoders.acceptor);
      deliver(acceptor, dialer, decoders.dialer);
    }
    for (const [from, to] of [[dialer, acceptor], [acceptor, dialer]] as const) {
      for (const [id, bytes] of from.sent) {
        if (from.closed.has(id) || to.closed.has(id)) continue;
        assertEquals(to.got.get(id), bytes, `seed ${seed}, stream ${id}`);
      }
    }
    assertEquals(dialer.session.openStreams(), acceptor.session.openStreams(), `seed ${seed}`);
  }
});

Deno.test("what all windows grant together is bounded, whoever reads how much", () => {
  const budget = createWindowBudget();
  const prng = createPrng(7);
  const windows = Array.from({ length: 1100 }, () => ({
    window: budget.newWindow(),
    granted: MUX_FIRST_WINDOW_BYTES,
    unread: 0,
  }));
  for (let turn = 0; turn < 200_000; turn++) {
    const one = windows[prng.below(windows.length)];
    assert(one !== undefined);
    const bytes = Math.min(one.granted, 1 + prng.below(32 * 1024));
    if (bytes > 0) one.window.receive(bytes);
    one.granted -= bytes;
    one.unread += bytes;
    const read = prng.below(2) * one.unread;
    one.unread -= read;
    one.granted += one.window.consume(read, false);
    assert(one.granted + one.unread <= 1024 * 1024, "one window");
  }
  const held = windows.reduce((sum, { granted, unread }) => sum + granted + unread, 0);
  const most = windows.length * MUX_FIRST_WINDOW_BYTES + MUX_WINDOW_BUDGET_BYTES;
  assert(held <= most && held > most / 2, `${held} of ${most} bytes`);
});

Deno.test("a window takes what it granted and not a byte more", () => {
  const window = createWindowBudget().newWindow();
  window.receive(MUX_FIRST_WINDOW_BYTES);
  try {
    window.receive(1);
    assert(false, "it took one more");
  } catch (error) {
    assert(error instanceof ProtocolError && error.violation === "no-credit");
  }
});

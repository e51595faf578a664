// SPDX-License-Identifier: GPL-2.0-or-later
/** A live stream in a session: each side takes from the other only what fits. @module */

import { assertEquals } from "@std/assert";
import { type Bytes, concat } from "../../../shared/protocol/bytes.ts";
import { createDom0Session, type Dom0Session } from "../../../shared/protocol/dom0_session.ts";
import {
  CHUNK_WINDOW_BYTES,
  CHUNK_WINDOW_CHUNKS,
  MAX_CHUNK_BYTES,
} from "../../../shared/protocol/limits.ts";
import {
  CHUNK_ROOM_BYTES,
  encodeFromDom0,
  encodeFromVm,
} from "../../../shared/protocol/message.ts";
import { createVmSession, type VmSession } from "../../../shared/protocol/vm_session.ts";
import { atDom0, atVm, ENVELOPE, laterEnvelopes, MAC, OUTCOME, VM } from "./session_fixtures.ts";
import { verdict } from "./vectors.ts";

const ALL = ["ends", "operations", "streams"];
const LIVE = (await laterEnvelopes()).get("live") ?? ENVELOPE;

/** A session of dom0 in which request 1 was accepted. */
function dom0(words: readonly string[] = ALL): Dom0Session {
  const session = createDom0Session(VM);
  session.hello();
  session.receive(atDom0(encodeFromVm({ kind: "hello", version: 2 })));
  session.receive(atDom0(encodeFromVm({ kind: "capabilities", words })));
  session.credit(2);
  session.receive(atDom0(encodeFromVm({ kind: "request", seq: 1, envelope: LIVE })));
  session.accepted(1);
  return session;
}

function wireOf(bytes: number, isEnd = false): Bytes {
  const head = new Uint8Array(17);
  head[0] = isEnd ? 1 : 0;
  return concat([new Uint8Array(CHUNK_ROOM_BYTES), head, new Uint8Array(bytes)]);
}

const chunk = (offset: number, bytes: number, isEnd = false, seq = 1): Bytes =>
  encodeFromVm({ kind: "chunk", seq, offset, wire: wireOf(bytes, isEnd) });

/** A session of a VM in which request 1 was sent. */
function vm(words: readonly string[] = ALL): VmSession {
  const session = createVmSession();
  session.receive(atVm(encodeFromDom0({ kind: "hello", version: 2, vm: VM })));
  session.receive(atVm(encodeFromDom0({ kind: "ping", token: 0 })));
  session.receive(atVm(encodeFromDom0({ kind: "capabilities", words })));
  session.receive(atVm(encodeFromDom0({ kind: "credit", count: 1 })));
  session.request(LIVE);
  return session;
}

const ACCEPTED = encodeFromDom0({ kind: "accepted", seq: 1 });
const PARKED = encodeFromDom0({ kind: "parked", seq: 1 });
const ENOUGH = encodeFromDom0({ kind: "enough", seq: 1 });
const want = (offset: number, seq = 1): Bytes => encodeFromDom0({ kind: "want", seq, offset });

function heardByVm(session: VmSession, ...wires: readonly Bytes[]): string {
  return wires.map((wire) => verdict(() => session.receive(atVm(wire)))).join(" ");
}

function heardByDom0(session: Dom0Session, ...wires: readonly Bytes[]): string {
  return wires.map((wire) => verdict(() => session.receive(atDom0(wire)))).join(" ");
}

Deno.test("a live stream comes only in a session that agreed on streams", () => {
  for (const words of [[], ["ends"], ["payloads"], ["ends", "operations", "payloads"]]) {
    assertEquals(verdict(() => dom0(words)), "unexpected", words.join());
  }
  assertEquals(verdict(() => dom0(["streams"])), "ok");
});

Deno.test("dom0 takes chunks that it wants, in order, and nothing else", () => {
  assertEquals(heardByDom0(dom0(), chunk(0, 1)), "unexpected", "not asked for");
  for (
    const [name, wires] of Object.entries({
      "an earlier place": [chunk(4, 1)],
      "a later place": [chunk(6, 1)],
      "one twice": [chunk(5, 2), chunk(5, 2)],
      "of another request": [chunk(5, 1, false, 2)],
      "one after the end": [chunk(5, 1, true), chunk(6, 1)],
      "a second end": [chunk(5, 0, true), chunk(5, 0, true)],
    })
  ) {
    const session = dom0();
    session.want(1, 5);
    assertEquals(heardByDom0(session, ...wires).split(" ").at(-1), "unexpected", name);
  }
  const session = dom0();
  session.want(1, 2 ** 33);
  assertEquals(heardByDom0(session, chunk(2 ** 33, 3), chunk(2 ** 33 + 3, 0, true)), "ok ok");
});

Deno.test("no more is on its way than the window", () => {
  const session = dom0();
  session.want(1, 0);
  for (let at = 0; at < CHUNK_WINDOW_BYTES; at += MAX_CHUNK_BYTES) {
    assertEquals(heardByDom0(session, chunk(at, MAX_CHUNK_BYTES)), "ok");
  }
  session.want(1, MAX_CHUNK_BYTES);
  assertEquals(heardByDom0(session, chunk(CHUNK_WINDOW_BYTES, MAX_CHUNK_BYTES)), "ok");
  const next = CHUNK_WINDOW_BYTES + MAX_CHUNK_BYTES;
  assertEquals(heardByDom0(session, chunk(next, 1)), "unexpected");
  const small = dom0();
  small.want(1, 0);
  for (let at = 0; at < CHUNK_WINDOW_CHUNKS; at++) {
    assertEquals(heardByDom0(small, chunk(at, 1)), "ok");
  }
  small.want(1, 1);
  assertEquals(heardByDom0(small, chunk(64, 1), chunk(65, 1)), "ok unexpected");
});

Deno.test("what crosses an enough, or the outcome, is dropped; after the ack it is a violation", () => {
  const session = dom0();
  session.want(1, 0);
  const kinds = (wire: Bytes): string => session.receive(atDom0(wire)).kind;
  assertEquals(kinds(chunk(0, 5)), "chunk");
  session.enough(1);
  assertEquals(kinds(chunk(5, 5)), "alive");
  session.outcome(1, session.spoken(OUTCOME), MAC);
  assertEquals(kinds(chunk(10, 5)), "alive");
  const ack = encodeFromVm({ kind: "ack", seq: 1 });
  assertEquals(heardByDom0(session, ack, chunk(15, 1)), "ok unexpected");
});

Deno.test("a VM is asked when the command runs, and for what it has sent", () => {
  assertEquals(heardByVm(vm(), want(0)), "unexpected", "before accepted");
  assertEquals(heardByVm(vm(), ACCEPTED, want(0)), "ok ok");
  assertEquals(heardByVm(vm(), ACCEPTED, ENOUGH), "ok ok");
  assertEquals(heardByVm(vm(), ACCEPTED, PARKED, want(0)), "ok ok unexpected", "it waits");
  assertEquals(heardByVm(vm(), ACCEPTED, PARKED, ACCEPTED, want(0)), "ok ok ok ok");
  assertEquals(heardByVm(vm(), ACCEPTED, want(0, 2)), "ok unexpected", "another request");
  assertEquals(heardByVm(vm(["ends", "payloads"]), ACCEPTED, want(0)), "ok unexpected");
  assertEquals(heardByVm(vm(["ends", "payloads"]), ACCEPTED, ENOUGH), "ok unexpected");
  for (
    const [offset, said] of [[2, "unexpected"], [3, "ok"], [7, "ok"], [8, "unexpected"]] as const
  ) {
    const session = vm();
    heardByVm(session, ACCEPTED, want(0));
    for (const bytes of [3, 4]) session.chunk(1, { wire: wireOf(bytes), bytes, isEnd: false });
    assertEquals(heardByVm(session, want(offset)), said, `${offset}`);
  }
});

Deno.test("a VM sends what dom0 has room for, and nothing behind the end or an enough", () => {
  const session = vm();
  const send = (bytes: number, isEnd = false): boolean =>
    session.chunk(1, { wire: wireOf(bytes, isEnd), bytes, isEnd }) !== null;
  heardByVm(session, ACCEPTED);
  assertEquals([session.nextChunk(1), send(1)], [null, false], "not wanted yet");
  heardByVm(session, want(0));
  for (let at = 0; at < CHUNK_WINDOW_BYTES; at += MAX_CHUNK_BYTES) {
    assertEquals([session.nextChunk(1), send(MAX_CHUNK_BYTES)], [at, true]);
  }
  assertEquals(send(1), false, "the window is full");
  assertEquals(send(0, true), true, "an end needs no room");
  heardByVm(session, want(MAX_CHUNK_BYTES));
  assertEquals([session.nextChunk(1), send(1)], [null, false], "behind the end");
  const other = vm();
  heardByVm(other, ACCEPTED, want(0), ENOUGH);
  assertEquals(other.nextChunk(1), null);
});

Deno.test("the VM's frames are what dom0 reads", () => {
  const [session, other] = [vm(), dom0()];
  heardByVm(session, ACCEPTED, want(2 ** 33));
  other.want(1, 2 ** 33);
  const frame = session.chunk(1, { wire: wireOf(3, true), bytes: 3, isEnd: true });
  const event = other.receive(atDom0(frame ?? new Uint8Array(0)));
  const [data, untrustedMac] = [new Uint8Array(3), new Uint8Array(16)];
  const read = { offset: 2 ** 33, isEnd: true, untrustedMac, data };
  assertEquals(event, { kind: "chunk", seq: 1, chunk: read });
});

// SPDX-License-Identifier: GPL-2.0-or-later
/** What a request brings, pulled by dom0: each side takes from the other only what fits. @module */

import { assertEquals, assertThrows } from "@std/assert";
import { type Bytes, concat, toHex } from "../../../shared/protocol/bytes.ts";
import { createDom0Session, type Dom0Session } from "../../../shared/protocol/dom0_session.ts";
import { MAX_PAYLOAD_CHUNK_BYTES, PAYLOAD_WINDOW_BYTES } from "../../../shared/protocol/limits.ts";
import { encodeFromDom0, encodeFromVm } from "../../../shared/protocol/message.ts";
import { createVmSession, type VmSession } from "../../../shared/protocol/vm_session.ts";
import { atDom0, atVm, ENVELOPE, laterEnvelopes, MAC, OUTCOME, VM } from "./session_fixtures.ts";
import { verdict } from "./vectors.ts";

const ALL = ["ends", "operations", "payloads"];
const [WITH_PAYLOAD] = [...(await laterEnvelopes()).entries()]
  .filter(([name]) => name === "payload").map(([, envelope]) => envelope);

/** A session of dom0 in which request 1 was accepted. */
function dom0(words: readonly string[] = ALL, envelope = WITH_PAYLOAD ?? ENVELOPE): Dom0Session {
  const session = createDom0Session(VM);
  session.hello();
  session.receive(atDom0(encodeFromVm({ kind: "hello", version: 2 })));
  session.receive(atDom0(encodeFromVm({ kind: "capabilities", words })));
  session.credit(2);
  session.receive(atDom0(encodeFromVm({ kind: "request", seq: 1, envelope })));
  session.accepted(1);
  return session;
}

const payload = (offset: number, bytes: number, seq = 1): Bytes =>
  encodeFromVm({ kind: "payload", seq, offset, data: new Uint8Array(bytes) });

const pull = (offset: number, bytes: number, seq = 1): Bytes =>
  encodeFromDom0({ kind: "pull", seq, offset, bytes });

/** A session of a VM in which request 1 was sent. */
function vm(words: readonly string[] = ALL): VmSession {
  const session = createVmSession();
  session.receive(atVm(encodeFromDom0({ kind: "hello", version: 2, vm: VM })));
  session.receive(atVm(encodeFromDom0({ kind: "ping", token: 0 })));
  session.receive(atVm(encodeFromDom0({ kind: "capabilities", words })));
  session.receive(atVm(encodeFromDom0({ kind: "credit", count: 1 })));
  session.request(ENVELOPE);
  return session;
}

const ACCEPTED = encodeFromDom0({ kind: "accepted", seq: 1 });

/** What comes of these, one after another. */
function heardByVm(session: VmSession, ...wires: readonly Bytes[]): string {
  return wires.map((wire) => verdict(() => session.receive(atVm(wire)))).join(" ");
}

function heardByDom0(session: Dom0Session, ...wires: readonly Bytes[]): string {
  return wires.map((wire) => verdict(() => session.receive(atDom0(wire)))).join(" ");
}

Deno.test("a request with a payload comes only in a session that agreed on payloads", () => {
  for (const words of [[], ["ends"], ["operations"], ["ends", "operations"]]) {
    assertEquals(verdict(() => dom0(words)), "unexpected", words.join());
  }
  assertEquals(verdict(() => dom0(["payloads"])), "ok");
});

Deno.test("dom0 takes what it asked for, in order, and nothing else", () => {
  const session = dom0();
  assertEquals(heardByDom0(session, payload(0, 1)), "unexpected", "not asked for");
  const asked = dom0();
  assertEquals(toHex(asked.pull(1, 5, 10)), "0000001109000000010000000000000005" + "0000000a");
  assertEquals(
    heardByDom0(asked, payload(5, 4), payload(9, 6), payload(15, 1)),
    "ok ok unexpected",
  );
  for (
    const [name, wire] of Object.entries({
      "an earlier place": payload(4, 1),
      "a later place": payload(6, 1),
      "too much": payload(5, 11),
      "of another request": payload(5, 1, 2),
    })
  ) {
    const other = dom0();
    other.pull(1, 5, 10);
    assertEquals(heardByDom0(other, wire), "unexpected", name);
  }
  const large = dom0();
  large.pull(1, 0, PAYLOAD_WINDOW_BYTES);
  assertEquals(heardByDom0(large, payload(0, MAX_PAYLOAD_CHUNK_BYTES)), "ok");
});

Deno.test("dom0 may ask for more before it has what it asked for, but leaves no gap", () => {
  const session = dom0();
  session.pull(1, 0, 10);
  session.pull(1, 10, 10);
  assertEquals(
    heardByDom0(session, payload(0, 15), payload(15, 5), payload(20, 1)),
    "ok ok unexpected",
  );
  const gap = dom0();
  gap.pull(1, 0, 10);
  assertThrows(() => gap.pull(1, 11, 1), Error, "bug");
});

Deno.test("nothing comes after a payload that cannot be read", () => {
  const session = dom0();
  session.pull(1, 0, 10);
  assertEquals(
    heardByDom0(session, payload(0, 4), payload(4, 0), payload(4, 1)),
    "ok ok unexpected",
  );
});

Deno.test("what crosses the outcome is no violation, and after the ack it is one", () => {
  const session = dom0();
  session.pull(1, 0, 10);
  session.outcome(1, session.spoken(OUTCOME), MAC);
  const ack = encodeFromVm({ kind: "ack", seq: 1 });
  assertEquals(heardByDom0(session, payload(0, 10), ack, payload(10, 1)), "ok ok unexpected");
});

Deno.test("a VM is asked after accepted, without a gap, and before anything else", () => {
  assertEquals(heardByVm(vm(), pull(0, 1)), "unexpected", "before accepted");
  assertEquals(heardByVm(vm(), ACCEPTED, pull(7, 5), pull(12, 9)), "ok ok ok");
  assertEquals(heardByVm(vm(), ACCEPTED, pull(7, 5), pull(13, 9)), "ok ok unexpected", "a gap");
  assertEquals(heardByVm(vm(), ACCEPTED, pull(7, 5), pull(7, 5)), "ok ok unexpected", "again");
  assertEquals(heardByVm(vm(), ACCEPTED, pull(0, 0)), "ok unexpected", "nothing");
  assertEquals(heardByVm(vm(), ACCEPTED, pull(0, PAYLOAD_WINDOW_BYTES)), "ok ok");
  assertEquals(heardByVm(vm(), ACCEPTED, pull(0, PAYLOAD_WINDOW_BYTES + 1)), "ok unexpected");
  assertEquals(heardByVm(vm(), ACCEPTED, pull(0, 1, 2)), "ok unexpected", "another request");
  const parked = encodeFromDom0({ kind: "parked", seq: 1 });
  assertEquals(heardByVm(vm(), ACCEPTED, parked, pull(0, 1)), "ok ok unexpected", "parked");
  const output = encodeFromDom0({
    ...{ kind: "output", seq: 1, stream: 1, offset: 0, data: new Uint8Array(1) },
  });
  assertEquals(heardByVm(vm(), ACCEPTED, output, pull(0, 1)), "ok ok unexpected", "it runs");
  assertEquals(heardByVm(vm(["ends", "operations"]), ACCEPTED, pull(0, 1)), "ok unexpected");
});

Deno.test("the VM's pieces are what dom0 reads", () => {
  const [session, other] = [vm(), dom0()];
  other.pull(1, 2 ** 33, 3);
  const data = new Uint8Array([1, 2, 3]);
  const event = other.receive(atDom0(concat([session.payload(1, 2 ** 33, data)])));
  assertEquals(event, { kind: "payload", seq: 1, data });
});

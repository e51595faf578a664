// SPDX-License-Identifier: GPL-2.0-or-later
/** Every event in every state, as the table in PROTOCOL.md says; then what a table cannot. */

import { assertEquals, assertThrows } from "@std/assert";
import { type Bytes, toHex, utf8 } from "../../../shared/protocol/bytes.ts";
import {
  MAX_OUTPUT_CHUNK_BYTES,
  MAX_WIDE_OUTPUT_CHUNK_BYTES as WIDE,
  OUTPUT_WINDOW_BYTES,
} from "../../../shared/protocol/limits.ts";
import { encodeFromDom0, type StreamNumber } from "../../../shared/protocol/message.ts";
import { createVmSession, type VmSession } from "../../../shared/protocol/vm_session.ts";
import { documentTable } from "./document.ts";
import { atDom0, atVm, ENVELOPE, MAC, OUTCOME, V1_REQUEST, VM } from "./session_fixtures.ts";
import { plain, verdict } from "./vectors.ts";

const RECEIVED_BYTES = 100;
const hello = (version: number): Bytes => encodeFromDom0({ kind: "hello", version, vm: VM });
const credit = (count: number): Bytes => encodeFromDom0({ kind: "credit", count });
const accepted = (seq: number): Bytes => encodeFromDom0({ kind: "accepted", seq });
const parked = (seq: number): Bytes => encodeFromDom0({ kind: "parked", seq });
const ping = (token: number): Bytes => encodeFromDom0({ kind: "ping", token });
const capabilities = (words: readonly string[]): Bytes =>
  encodeFromDom0({ kind: "capabilities", words });
const outcome = (seq: number): Bytes =>
  encodeFromDom0({ kind: "outcome", seq, mac: MAC, outcome: OUTCOME });
const output = (seq: number, offset: number, bytes: number, stream: StreamNumber = 1): Bytes =>
  encodeFromDom0({ kind: "output", seq, stream, offset, data: new Uint8Array(bytes) });

const receive = (session: VmSession, wire: Bytes): string => session.receive(atVm(wire)).kind;

const STATES: ReadonlyMap<string, (session: VmSession) => void> = new Map<
  string,
  (session: VmSession) => void
>([
  ["new", () => {}],
  ["ready", (session) => {
    receive(session, hello(2));
  }],
  ["asked", (session) => {
    into("ready", session);
    receive(session, ping(0));
  }],
  ["sent", (session) => {
    into("asked", session);
    receive(session, capabilities(["operations"]));
    receive(session, credit(1));
    session.request(ENVELOPE);
  }],
  ["accepted", (session) => {
    into("sent", session);
    receive(session, accepted(1));
  }],
  ["parked", (session) => {
    into("accepted", session);
    receive(session, parked(1));
  }],
  ["output", (session) => {
    into("accepted", session);
    receive(session, output(1, 0, RECEIVED_BYTES));
  }],
  ["full", (session) => {
    into("accepted", session);
    for (let at = 0; at < OUTPUT_WINDOW_BYTES; at += MAX_OUTPUT_CHUNK_BYTES) {
      receive(session, output(1, at, MAX_OUTPUT_CHUNK_BYTES));
    }
  }],
  ["answered", (session) => {
    into("output", session);
    receive(session, outcome(1));
  }],
  ["done", (session) => {
    into("answered", session);
    session.ack(1);
  }],
]);

/** Where the next byte of stdout belongs in each state. */
const OFFSET: Readonly<Record<string, number>> = {
  output: RECEIVED_BYTES,
  full: OUTPUT_WINDOW_BYTES,
  answered: RECEIVED_BYTES,
  done: RECEIVED_BYTES,
};

const EVENTS: ReadonlyMap<string, readonly [wire: (state: string) => Bytes, event: string]> =
  new Map([
    ["hello, version 2", [() => hello(2), "hello"]],
    ["hello, another version", [() => hello(1), "hello"]],
    ["credit", [() => credit(1), "credit"]],
    ["ping, not 0", [() => ping(5), "ping"]],
    ["ping 0", [() => ping(0), "ping"]],
    ["capabilities", [() => capabilities(["ends", "future-word"]), "capabilities"]],
    ["accepted n", [() => accepted(1), "accepted"]],
    ["parked n", [() => parked(1), "parked"]],
    ["output n, the next offset", [(state: string) => output(1, OFFSET[state] ?? 0, 1), "output"]],
    ["output n, another offset", [
      (state: string) => output(1, (OFFSET[state] ?? 0) + 1, 1),
      "output",
    ]],
    ["output n, no bytes", [(state: string) => output(1, OFFSET[state] ?? 0, 0), "output"]],
    ["outcome n", [() => outcome(1), "outcome"]],
    ["accepted, parked, output or outcome of another number", [() => accepted(7), "accepted"]],
  ]);

function into(state: string, session: VmSession): void {
  const enter = STATES.get(state);
  if (enter === undefined) throw new Error(`no state ${state}`);
  enter(session);
}

const { columns: [, ...states], rows } = documentTable("vm-session");

Deno.test("the table of the VM's session has every state and every event", () => {
  assertEquals(states.join(), [...STATES.keys()].join());
  assertEquals(rows.map(([event]) => event).join("; "), [...EVENTS.keys()].join("; "));
});

for (const [event = "", ...cells] of rows) {
  Deno.test(`the VM's session: ${event}, in every state`, () => {
    const [wire, kind] = EVENTS.get(event) ?? [];
    if (wire === undefined) throw new Error(`no event ${event}`);
    states.forEach((state, i) => {
      const session = createVmSession();
      into(state, session);
      let got = "";
      const word = verdict(() => got = receive(session, wire(state)));
      assertEquals(word, cells[i], `${event} in state ${state}`);
      if (word === "ok") assertEquals(got, kind, `${event} in state ${state}`);
    });
  });
}

Deno.test("output and outcome of a number that was never sent are refused like accepted", () => {
  const wires = [output(7, 0, 1), outcome(7), output(0, 0, 1), outcome(0), accepted(0), parked(7)];
  for (const wire of wires) {
    const session = createVmSession();
    into("accepted", session);
    assertEquals(verdict(() => receive(session, wire)), "unexpected", String(plain(wire)));
  }
});

Deno.test("hello and ping are answered with the bytes to send", () => {
  const session = createVmSession();
  const greeting = session.receive(atVm(hello(2)));
  assertEquals(greeting.kind === "hello" && greeting.vm, VM);
  assertEquals(greeting.kind === "hello" && plain(greeting.reply), "hex:00000003810002");
  const event = session.receive(atVm(ping(0x01020304)));
  assertEquals(event.kind === "ping" && plain(event.reply), "hex:000000058701020304");
});

Deno.test("the VM names its capabilities to a dom0 that asks, and to no other", () => {
  const session = createVmSession();
  receive(session, hello(2));
  const asked = session.receive(atVm(ping(0)));
  assertEquals(
    asked.kind === "ping" && plain(asked.reply),
    "hex:0000002b88" + toHex(utf8("ends operations payloads left wide streams")),
  );
  assertEquals(receive(session, capabilities(["ends"])), "capabilities");
  assertEquals(verdict(() => receive(session, capabilities(["ends"]))), "unexpected", "twice");
});

Deno.test("an outcome in another form than was agreed is refused", () => {
  const send = (form: Partial<typeof OUTCOME>): Bytes =>
    encodeFromDom0({ kind: "outcome", seq: 1, mac: MAC, outcome: { ...OUTCOME, ...form } });
  const clock = { kind: "refused", reason: "clock", exitCode: 126 } as const;
  const stopping = { kind: "stopping", exitCode: 126 } as const;
  const cases: readonly (readonly [
    words: readonly string[] | null,
    form: Partial<typeof OUTCOME>,
    want: string,
  ])[] = [
    [null, {}, "ok"],
    [null, { limit: null }, "bad-meta"],
    [null, stopping, "bad-meta"],
    [null, clock, "bad-meta"],
    [["future-word"], {}, "ok"],
    [["future-word"], { limit: null }, "bad-meta"],
    [[], {}, "ok"],
    [["ends"], {}, "bad-meta"],
    [["ends"], { limit: null }, "ok"],
    [["ends"], { ...stopping, limit: null }, "ok"],
    [["ends"], { ...clock, limit: null }, "ok"],
    [null, { ...clock, reason: "not-approved" }, "bad-meta"],
    [["ends"], { ...clock, reason: "not-approved", limit: null }, "bad-meta"],
    [["operations"], { ...clock, reason: "not-approved" }, "ok"],
    [["operations"], clock, "bad-meta"],
    [["ends", "operations"], { ...clock, reason: "not-approved", limit: null }, "ok"],
    [null, { left: 2 }, "bad-meta"],
    [["ends"], { limit: null, left: null }, "bad-meta"],
    [["left"], {}, "bad-meta"],
    [["left"], { left: 2 }, "ok"],
    [["ends", "left"], { limit: null, left: null }, "ok"],
  ];
  for (const [words, form, want] of cases) {
    const session = createVmSession();
    into(words === null ? "ready" : "asked", session);
    if (words !== null) receive(session, capabilities(words));
    receive(session, credit(1));
    session.request(ENVELOPE);
    assertEquals(verdict(() => receive(session, send(form))), want, JSON.stringify([words, form]));
  }
});

Deno.test("a request takes a credit and the next number", () => {
  const session = createVmSession();
  into("ready", session);
  assertEquals(session.hasCredit(), false);
  assertThrows(() => session.request(ENVELOPE), Error, "bug");
  receive(session, credit(2));
  assertEquals(session.hasCredit(), true);
  assertEquals(session.request(ENVELOPE).seq, 1);
  const second = session.requestV1(V1_REQUEST);
  assertEquals(second.seq, 2);
  assertEquals(atDom0(second.frame).type, 0x83);
  assertEquals(session.hasCredit(), false);
  assertThrows(() => session.requestV1(V1_REQUEST), Error, "bug");
});

Deno.test("cancel is sent once, and not for what is answered, acknowledged or unknown", () => {
  const session = createVmSession();
  into("sent", session);
  assertEquals(plain(session.cancel(1)), "hex:000000058400000001");
  assertEquals(session.cancel(1), null, "twice");
  assertEquals(session.cancel(2), null, "unknown");
  for (const state of ["answered", "done"]) {
    const over = createVmSession();
    into(state, over);
    assertEquals(over.cancel(1), null, state);
  }
});

Deno.test("a frame larger than was agreed on is refused", () => {
  const cases = [
    [["ends"], MAX_OUTPUT_CHUNK_BYTES, "unexpected"],
    [["wide"], WIDE, "too-long"],
  ] as const;
  for (const [words, most, refusal] of cases) {
    for (const [bytes, expected] of [[most, "ok"], [most + 1, refusal]] as const) {
      const session = createVmSession();
      receive(session, hello(2));
      receive(session, ping(0));
      receive(session, capabilities(words));
      receive(session, credit(1));
      session.request(new Uint8Array(1));
      receive(session, accepted(1));
      assertEquals(verdict(() => receive(session, output(1, 0, bytes))), expected, `${bytes}`);
    }
  }
});

Deno.test("each stream counts its own offset", () => {
  const session = createVmSession();
  into("output", session);
  assertEquals(receive(session, output(1, RECEIVED_BYTES, 5, 1)), "output");
  assertEquals(receive(session, output(1, 0, 5, 2)), "output");
  assertEquals(receive(session, output(1, 5, 5, 2)), "output");
  assertEquals(verdict(() => receive(session, output(1, 5, 5, 2))), "unexpected", "bytes again");
});

Deno.test("one byte past the window is refused; one byte confirmed makes room for one", () => {
  const session = createVmSession();
  into("full", session);
  assertEquals(plain(session.window(1, 1)), "hex:00000009850000000100000001");
  assertEquals(receive(session, output(1, OUTPUT_WINDOW_BYTES, 1)), "output");
  const wire = output(1, 0, 1, 2); // the window is one for both streams
  assertEquals(verdict(() => receive(session, wire)), "unexpected");
});

Deno.test("after ack nothing may come for that request", () => {
  for (const wire of [accepted(1), output(1, RECEIVED_BYTES, 1), outcome(1)]) {
    const session = createVmSession();
    into("answered", session);
    assertEquals(plain(session.ack(1)), "hex:000000058600000001");
    assertEquals(verdict(() => receive(session, wire)), "unexpected", String(plain(wire)));
  }
});

Deno.test("an acknowledged request is forgotten: it takes no memory and no messages", () => {
  const session = createVmSession();
  into("done", session);
  assertEquals(verdict(() => session.window(1, 1)), "unexpected");
  assertEquals(verdict(() => session.ack(1)), "unexpected");
});

Deno.test("what was parked is accepted again when it runs, and not parked again", () => {
  const session = createVmSession();
  into("parked", session);
  assertEquals(receive(session, accepted(1)), "accepted");
  assertEquals(verdict(() => receive(session, parked(1))), "unexpected", "parked again");
  const twice = createVmSession();
  into("parked", twice);
  receive(twice, accepted(1));
  assertEquals(verdict(() => receive(twice, accepted(1))), "unexpected", "a third time");
  const refused = createVmSession();
  into("parked", refused);
  assertEquals(receive(refused, output(1, 0, 5, 2)), "output", "why it was refused");
  assertEquals(verdict(() => receive(refused, accepted(1))), "unexpected", "after output");
  assertEquals(receive(refused, outcome(1)), "outcome");
});

Deno.test("dom0 tells only a VM that named operations that a request waits", () => {
  for (const words of [null, [], ["ends"]]) {
    const session = createVmSession();
    into(words === null ? "ready" : "asked", session);
    if (words !== null) receive(session, capabilities(words));
    receive(session, credit(1));
    assertEquals(session.agreed("operations"), false);
    session.request(ENVELOPE);
    receive(session, accepted(1));
    assertEquals(verdict(() => receive(session, parked(1))), "unexpected", String(words));
  }
  const session = createVmSession();
  into("sent", session);
  assertEquals(session.agreed("operations"), true);
  assertEquals(session.agreed("ends"), false);
});

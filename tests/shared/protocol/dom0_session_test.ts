// SPDX-License-Identifier: GPL-2.0-or-later
/** Every event in every state, as the table in PROTOCOL.md says; then what a table cannot. */

import { assertEquals, assertThrows } from "@std/assert";
import { type Bytes, toHex, utf8 } from "../../../shared/protocol/bytes.ts";
import { createDom0Session, type Dom0Session } from "../../../shared/protocol/dom0_session.ts";
import {
  MAX_OPEN_REQUESTS,
  MAX_OUTPUT_CHUNK_BYTES,
  MAX_STREAM_BYTES,
  MAX_WIDE_OUTPUT_CHUNK_BYTES,
  OUTPUT_WINDOW_BYTES,
  WIDE_OUTPUT_WINDOW_BYTES,
} from "../../../shared/protocol/limits.ts";
import { encodeFromVm } from "../../../shared/protocol/message.ts";
import { documentTable } from "./document.ts";
import {
  atDom0,
  ENVELOPE,
  laterEnvelopes,
  MAC,
  OUTCOME,
  V1_REQUEST,
  VM,
} from "./session_fixtures.ts";
import { plain, verdict } from "./vectors.ts";

const SENT_BYTES = 100;
const hello = (version: number): Bytes => encodeFromVm({ kind: "hello", version });
const request = (seq: number): Bytes => encodeFromVm({ kind: "request", seq, envelope: ENVELOPE });
const requestV1 = (seq: number): Bytes =>
  encodeFromVm({ kind: "request-v1", seq, request: V1_REQUEST });
const cancel = (seq: number): Bytes => encodeFromVm({ kind: "cancel", seq });
const window = (seq: number, bytes: number): Bytes => encodeFromVm({ kind: "window", seq, bytes });
const ack = (seq: number): Bytes => encodeFromVm({ kind: "ack", seq });
const capabilities = (words: readonly string[]): Bytes =>
  encodeFromVm({ kind: "capabilities", words });
const pong = (token: number): Bytes => encodeFromVm({ kind: "pong", token });

const receive = (session: Dom0Session, wire: Bytes): string => session.receive(atDom0(wire)).kind;

/** Each state of the table: how a session gets into it from the one before, or from the start. */
const STATES: ReadonlyMap<string, (session: Dom0Session) => void> = new Map<
  string,
  (session: Dom0Session) => void
>([
  ["new", (session) => session.hello()],
  ["greeted", (session) => {
    into("new", session);
    receive(session, hello(2));
  }],
  ["idle", (session) => {
    into("greeted", session);
    receive(session, pong(0));
  }],
  ["credit", (session) => {
    into("idle", session);
    session.credit(2);
  }],
  ["open", (session) => {
    into("credit", session);
    receive(session, request(1));
  }],
  ["sent", (session) => {
    into("open", session);
    session.accepted(1);
    session.output(1, 1, 0, new Uint8Array(SENT_BYTES));
  }],
  ["cancelled", (session) => {
    into("sent", session);
    receive(session, cancel(1));
  }],
  ["answered", (session) => {
    into("sent", session);
    session.outcome(1, OUTCOME, MAC);
  }],
  ["done", (session) => {
    into("answered", session);
    receive(session, ack(1));
  }],
]);

/** The number the VM must use next in each state. */
const NEXT: Readonly<Record<string, number>> = { new: 1, greeted: 1, idle: 1, credit: 1 };

/** Each row of the table: what arrives, and the event that it becomes when it is allowed. */
const EVENTS: ReadonlyMap<string, readonly [wire: (state: string) => Bytes, event: string]> =
  new Map([
    ["hello, version 2", [() => hello(2), "alive"]],
    ["hello, another version", [() => hello(3), "alive"]],
    ["pong 0", [() => pong(0), "ready"]],
    ["capabilities", [() => capabilities(["ends", "future-word"]), "ready"]],
    ["request, the next number", [(state: string) => request(NEXT[state] ?? 2), "request"]],
    ["request, another number", [(state: string) => request((NEXT[state] ?? 2) + 1), "request"]],
    ["request-v1, the next number", [
      (state: string) => requestV1(NEXT[state] ?? 2),
      "request-v1",
    ]],
    ["cancel n", [() => cancel(1), "cancel"]],
    ["window n, what was sent", [() => window(1, SENT_BYTES), "room"]],
    ["window n, more than was sent", [() => window(1, SENT_BYTES + 1), "room"]],
    ["window n, 0 bytes", [() => window(1, 0), "room"]],
    ["ack n", [() => ack(1), "done"]],
    ["cancel, window or ack of another number", [() => cancel(7), "cancel"]],
    ["pong to the ping", [() => pong(1), "alive"]],
    ["another pong", [() => pong(2), "alive"]],
  ]);

function into(state: string, session: Dom0Session): void {
  const enter = STATES.get(state);
  if (enter === undefined) throw new Error(`no state ${state}`);
  enter(session);
}

const { columns: [, ...states], rows } = documentTable("dom0-session");

Deno.test("the table of dom0's session has every state and every event", () => {
  assertEquals(states.join(), [...STATES.keys()].join());
  assertEquals(rows.map(([event]) => event).join("; "), [...EVENTS.keys()].join("; "));
});

for (const [event = "", ...cells] of rows) {
  Deno.test(`dom0's session: ${event}, in every state`, () => {
    const [wire, kind] = EVENTS.get(event) ?? [];
    if (wire === undefined) throw new Error(`no event ${event}`);
    states.forEach((state, i) => {
      const session = createDom0Session(VM);
      into(state, session);
      session.ping();
      let got = "";
      const word = verdict(() => got = receive(session, wire(state)));
      assertEquals(word, cells[i], `${event} in state ${state}`);
      if (word === "ok") assertEquals(got, kind, `${event} in state ${state}`);
    });
  });
}

Deno.test("window and ack of a number that was never sent are refused like cancel", () => {
  for (const wire of [window(7, 1), ack(7), window(0, 1), ack(0), cancel(0)]) {
    const session = createDom0Session(VM);
    into("answered", session);
    assertEquals(verdict(() => receive(session, wire)), "unexpected", String(plain(wire)));
  }
});

Deno.test("each credit is good for one request", () => {
  const session = createDom0Session(VM);
  into("idle", session);
  session.credit(3);
  for (let seq = 1; seq <= 3; seq++) {
    assertEquals(receive(session, request(seq)), "request");
    assertEquals(plain(session.load()), { open: seq, credits: 3 - seq });
  }
  assertEquals(verdict(() => receive(session, request(4))), "no-credit");
});

Deno.test("the number of a request is never used again, not even after its end", () => {
  const session = createDom0Session(VM);
  into("done", session);
  assertEquals(verdict(() => receive(session, request(1))), "unexpected");
});

Deno.test("request 0 and a request that skips are refused", () => {
  for (const seq of [0, 2, 0xffff_ffff]) {
    const session = createDom0Session(VM);
    into("credit", session);
    assertEquals(verdict(() => receive(session, request(seq))), "unexpected", `seq ${seq}`);
  }
});

Deno.test("the daemon cannot grant more than there are slots", () => {
  const session = createDom0Session(VM);
  into("idle", session);
  session.credit(MAX_OPEN_REQUESTS);
  assertThrows(() => session.credit(1), Error, "bug");
  const busy = createDom0Session(VM);
  into("open", busy); // one open, one credit
  busy.credit(MAX_OPEN_REQUESTS - 2);
  assertThrows(() => busy.credit(1), Error, "bug");
});

Deno.test("an acknowledged request gives its slot back, and only then", () => {
  const session = createDom0Session(VM);
  into("answered", session);
  assertEquals(plain(session.load()), { open: 1, credits: 1 }, "an outcome that is not fetched");
  receive(session, ack(1));
  assertEquals(plain(session.load()), { open: 0, credits: 1 });
});

Deno.test("output stops at the window, over both streams together, and window opens it", () => {
  const session = createDom0Session(VM);
  into("open", session);
  assertEquals(session.room(1), MAX_OUTPUT_CHUNK_BYTES);
  const chunk = new Uint8Array(MAX_OUTPUT_CHUNK_BYTES);
  const offsets = { 1: 0, 2: 0 };
  for (let i = 0; session.room(1) > 0; i++) {
    const stream = i % 2 === 0 ? 1 : 2;
    session.output(1, stream, offsets[stream], chunk);
    offsets[stream] += chunk.length;
  }
  assertEquals(offsets[1] + offsets[2], OUTPUT_WINDOW_BYTES);
  receive(session, window(1, 1));
  assertEquals(session.room(1), 1);
  receive(session, window(1, OUTPUT_WINDOW_BYTES - 1));
  assertEquals(session.room(1), MAX_OUTPUT_CHUNK_BYTES);
  assertEquals(verdict(() => receive(session, window(1, 1))), "unexpected", "all is confirmed");
});

Deno.test("where both sides are wide, frames and the window are larger", () => {
  const session = createDom0Session(VM);
  into("greeted", session);
  receive(session, capabilities(["wide"]));
  session.credit(1);
  receive(session, request(1));
  session.accepted(1);
  assertEquals(session.room(1), MAX_WIDE_OUTPUT_CHUNK_BYTES);
  const chunk = new Uint8Array(MAX_WIDE_OUTPUT_CHUNK_BYTES);
  let offset = 0;
  for (; session.room(1) > 0; offset += chunk.length) session.output(1, 1, offset, chunk);
  assertEquals(offset, WIDE_OUTPUT_WINDOW_BYTES);
});

Deno.test("the daemon cannot send more than a window, a chunk or a stream", () => {
  const session = createDom0Session(VM);
  into("open", session);
  const tooLong = new Uint8Array(MAX_OUTPUT_CHUNK_BYTES + 1);
  assertThrows(() => session.output(1, 1, 0, tooLong), Error, "bug");
  const far = createDom0Session(VM);
  into("open", far);
  const last = new Uint8Array(1);
  far.output(1, 1, MAX_STREAM_BYTES - 1, last);
  assertThrows(() => far.output(1, 1, MAX_STREAM_BYTES, last), Error, "bug");
});

Deno.test("there is no room for a request that is answered, acknowledged or unknown", () => {
  for (const [state, seq] of [["answered", 1], ["done", 1], ["open", 2]] as const) {
    const session = createDom0Session(VM);
    into(state, session);
    assertEquals(session.room(seq), 0, state);
  }
});

Deno.test("a VM that was paused finds one ping, and its late pong is no violation", () => {
  const session = createDom0Session(VM);
  into("idle", session);
  assertEquals(plain(session.ping()), "hex:000000050300000001");
  assertEquals(session.ping(), null, "the first is unanswered");
  assertEquals(session.ping(), null, "the first is unanswered");
  assertEquals(receive(session, pong(1)), "alive");
  assertEquals(plain(session.ping()), "hex:000000050300000002");
  assertEquals(receive(session, pong(2)), "alive");
});

Deno.test("dom0 says hello and asks for capabilities, and names its own to whoever answers", () => {
  const session = createDom0Session(VM);
  assertEquals(plain(session.hello()), "hex:00000007010002776f726b" + "000000050300000000");
  assertEquals(receive(session, hello(2)), "alive");
  const ready = session.receive(atDom0(capabilities(["future-word"])));
  const own = "hex:0000002b07" + toHex(utf8("ends operations payloads left wide streams"));
  assertEquals(ready.kind === "ready" && plain(ready.reply), own);
  const older = createDom0Session(VM);
  into("greeted", older);
  assertEquals(plain(older.receive(atDom0(pong(0)))), { kind: "ready", reply: null });
});

Deno.test("an outcome is spoken in the form that both sides know", () => {
  const limited = { ...OUTCOME, kind: "timeout", exitCode: 124, limit: 2000 } as const;
  const clock = { ...OUTCOME, kind: "refused", reason: "clock", exitCode: 126 } as const;
  const stopped = { ...OUTCOME, kind: "stopping", exitCode: 126, limit: null } as const;
  for (const words of [[], ["future-word"]]) {
    const first = createDom0Session(VM);
    into("greeted", first);
    receive(first, words.length === 0 ? pong(0) : capabilities(words));
    assertEquals(first.spoken(limited).limit, undefined);
    const { kind, exitCode } = first.spoken(stopped);
    assertEquals([kind, exitCode], ["interrupted", 130]);
    assertEquals(first.spoken(clock).reason, "stale");
    first.credit(1);
    receive(first, request(1));
    assertThrows(() => first.outcome(1, limited, MAC), Error, "bug");
    first.outcome(1, first.spoken(stopped), MAC);
  }
  const full = createDom0Session(VM);
  into("greeted", full);
  receive(full, capabilities(["ends"]));
  assertEquals(plain(full.spoken(limited)), plain(limited));
  assertEquals(plain(full.spoken(stopped)), plain(stopped));
  assertEquals(full.spoken(clock).reason, "clock");
  assertEquals(full.spoken(OUTCOME).limit, null, "kept in the first form");
  full.credit(1);
  receive(full, request(1));
  assertThrows(() => full.outcome(1, OUTCOME, MAC), Error, "bug");
  full.outcome(1, full.spoken(OUTCOME), MAC);
});

Deno.test("a pong that comes twice, early or out of order is a violation", () => {
  for (const tokens of [[1, 1], [2], [0], [1, 2], [0xffff_ffff]]) {
    const session = createDom0Session(VM);
    into("idle", session);
    session.ping();
    const words = tokens.map((token) => verdict(() => receive(session, pong(token))));
    assertEquals(words.at(-1), "unexpected", `pongs ${tokens}`);
  }
});

/** A session in which the VM named these, with one request that was accepted. */
function agreedOn(words: readonly string[] | null, envelope = ENVELOPE): Dom0Session {
  const session = createDom0Session(VM);
  into("greeted", session);
  receive(session, words === null ? pong(0) : capabilities(words));
  session.credit(2);
  receive(session, encodeFromVm({ kind: "request", seq: 1, envelope }));
  session.accepted(1);
  return session;
}

Deno.test("a request that needs operations comes only in a session that agreed on them", async () => {
  const forms = new Map(await laterEnvelopes());
  for (const other of ["payload", "live"]) forms.delete(other);
  for (const [name, envelope] of forms) {
    for (const words of [null, [], ["ends"], ["future-word"]]) {
      assertEquals(verdict(() => agreedOn(words, envelope)), "unexpected", `${name}, ${words}`);
    }
    assertEquals(verdict(() => agreedOn(["operations"], envelope)), "ok", name);
  }
  assertEquals(forms.size, 4);
});

Deno.test("a VM is told that its request waits, and that it runs, if it knows that", () => {
  for (const words of [null, ["ends"]]) {
    const older = agreedOn(words);
    assertEquals(older.parked(1), null);
    assertEquals(older.approved(1), null);
  }
  const session = agreedOn(["operations"]);
  assertEquals(session.approved(1), null, "it was not parked");
  assertEquals(plain(session.parked(1)), "hex:000000050800000001");
  assertEquals(plain(session.approved(1)), "hex:000000050400000001");
  assertEquals(session.approved(1), null, "twice");
  assertEquals(verdict(() => session.parked(7)), "unexpected");
});

Deno.test("a refusal that came with operations has a stand-in for a VM that does not know it", () => {
  const standIns = {
    "not-approved": "policy-denied",
    "approval-expired": "needs-confirmation",
    "bad-operation": "bad-body",
    "bad-plan": "bad-body",
    "too-many-parked": "overloaded",
    "rate-limited": "overloaded",
  } as const;
  for (const [reason, standIn] of Object.entries(standIns)) {
    const refused = { ...OUTCOME, kind: "refused", exitCode: 126 } as const;
    const outcome = { ...refused, reason: reason as keyof typeof standIns };
    assertEquals(agreedOn(null).spoken(outcome).reason, standIn);
    assertEquals(plain(agreedOn(["ends"]).spoken(outcome)), {
      ...plain(refused) as object,
      ...{ reason: standIn, limit: null },
    });
    assertEquals(agreedOn(["operations"]).spoken(outcome).reason, reason);
    const both = agreedOn(["ends", "operations", "left"]).spoken(outcome);
    assertEquals(both.left, null);
    assertEquals([both.reason, both.limit], [reason, null]);
    assertThrows(() => agreedOn(["future-word"]).outcome(1, outcome, MAC), Error, "bug");
  }
});

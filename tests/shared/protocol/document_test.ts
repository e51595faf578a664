// SPDX-License-Identifier: GPL-2.0-or-later
/** PROTOCOL.md says what the code does: its tables, its limits, its example. @module */

import { assert, assertEquals } from "@std/assert";
import { parseAuthKey } from "../../../shared/protocol/auth_key.ts";
import { type Bytes, concat, toHex, uint32, utf8 } from "../../../shared/protocol/bytes.ts";
import { authenticate, parseEnvelope, requestMacInput } from "../../../shared/protocol/envelope.ts";
import { CAPABILITIES } from "../../../shared/protocol/capability.ts";
import { makeStreamKey, signChunk } from "../../../shared/protocol/live/chunk.ts";
import { createDom0Session } from "../../../shared/protocol/dom0_session.ts";
import * as limits from "../../../shared/protocol/limits.ts";
import {
  CAPABILITY_PING,
  CAPS_FROM_DOM0,
  CAPS_FROM_VM,
  CAPS_OF_ANSWER,
  CHUNK_ROOM_BYTES,
  decodeFromDom0,
  encodeFromDom0,
  encodeFromVm,
} from "../../../shared/protocol/message.ts";
import {
  encodeMeta,
  EXIT_OF_KIND,
  inAgreedForm,
  isInForm,
  parseMeta,
  refusedOutcome,
  verifyOutcome,
} from "../../../shared/protocol/outcome.ts";
import { computeMac, macInput } from "../../../shared/protocol/mac.ts";
import { isRefusalReason, REFUSAL_TEXT, type Violation } from "../../../shared/protocol/refusal.ts";
import { parseRequestId } from "../../../shared/protocol/request_id.ts";
import { v1Token } from "../../../shared/protocol/v1.ts";
import { parseVmName } from "../../../shared/protocol/vm_name.ts";
import { documentBytes, documentTable, documentText } from "./document.ts";
import { atVm } from "./session_fixtures.ts";
import { fromHex, plain, readVectors, type Vector } from "./vectors.ts";

/** Every violation: a missing or a surplus one does not compile. */
const VIOLATIONS = {
  ...{ "bad-argument": 1, "bad-envelope": 1, "bad-frame": 1, "bad-id": 1, "bad-meta": 1 },
  ...{ "bad-name": 1, "bad-version": 1, "cut-off": 1, "no-credit": 1, "silent": 1 },
  ...{ "stderr-flood": 1 },
  ...{ "too-long": 1, "too-many-refusals": 1, "unexpected": 1, "unknown-type": 1 },
} satisfies Record<Violation, 1>;

const column = (table: string, at: number): string[] =>
  documentTable(table).rows.map((row) => row[at] ?? "");

Deno.test("the limits in PROTOCOL.md are those of limits.ts", () => {
  const written = documentTable("limits").rows.map(([name, value]) => `${name} = ${value}`);
  const real = Object.entries(limits).map(([name, value]) => `${name} = ${value}`);
  assertEquals(written.toSorted().join("\n"), real.toSorted().join("\n"));
  for (const [name, , reason = ""] of documentTable("limits").rows) {
    assert(reason.length > 10, `${name} has no reason`);
  }
});

Deno.test("the refusals in PROTOCOL.md are those of refusal.ts, with their texts", () => {
  const written = documentTable("refusals").rows.map(([word, text]) => `${word}: ${text}`);
  const real = Object.entries(REFUSAL_TEXT).map(([word, text]) => `${word}: ${text}`);
  assertEquals(written.toSorted().join("\n"), real.toSorted().join("\n"));
});

Deno.test("the violations in PROTOCOL.md are those of refusal.ts", () => {
  assertEquals(
    column("violations", 0).toSorted().join(),
    Object.keys(VIOLATIONS).toSorted().join(),
  );
});

Deno.test("the outcomes in PROTOCOL.md are those of outcome.ts, with their exit codes", () => {
  const written = documentTable("outcomes").rows.map(([kind, exit]) => `${kind} ${exit}`);
  const real = Object.entries(EXIT_OF_KIND).map(([kind, exit]) => `${kind} ${exit ?? "its own"}`);
  assertEquals(written.join(), real.join());
});

Deno.test("the messages in PROTOCOL.md have the types and caps of message.ts", () => {
  const written = documentTable("messages").rows.map(([type, , , cap]) => `${Number(type)} ${cap}`);
  const real = [...CAPS_FROM_DOM0, ...CAPS_FROM_VM, ...CAPS_OF_ANSWER]
    .map(([type, cap]) => `${type} ${cap}`);
  assertEquals(written.toSorted().join("\n"), real.toSorted().join("\n"));
});

Deno.test("a state table in PROTOCOL.md has only known words in its cells", () => {
  for (const table of ["dom0-session", "vm-session"]) {
    for (const [event, ...cells] of documentTable(table).rows) {
      for (const cell of cells) assert(cell === "ok" || cell in VIOLATIONS, `${event}: ${cell}`);
    }
  }
});

const keyText = documentText("example-key").trim();
const header = utf8(documentText("example-request-header"));
const body = utf8("qvm-ls\0-q\0");
const file = concat([header, utf8("\n"), body]);
const outcome = parseMeta(utf8(documentText("example-meta")));
const outcomeMac = documentBytes("example-outcome-mac");

Deno.test("worked example: the fingerprint", async () => {
  const { fingerprint } = await parseAuthKey(keyText);
  assertEquals(fingerprint, documentText("example-fingerprint").trim());
});

Deno.test("worked example: the request, its MAC input and its MAC", async () => {
  const request = parseEnvelope(file);
  assertEquals(plain(request.fields.body), plain(body));
  assertEquals(
    toHex(requestMacInput(request.fields)),
    toHex(documentBytes("example-request-mac-input")),
  );
  assertEquals(toHex(request.untrustedMac), toHex(documentBytes("example-request-mac")));
  assert(await authenticate(request, await parseAuthKey(keyText)) !== null, "the MAC is wrong");
});

Deno.test("worked example: the request is the first vector of envelope_seal", () => {
  const [first] = readVectors<Vector & { key: string; fileHex: string }>("envelope_seal");
  assertEquals(first?.name, "worked example");
  assertEquals(first?.key, keyText);
  assertEquals(first?.fileHex, toHex(file));
});

Deno.test("worked example: the outcome and its MAC are the first vector of outcome_mac", async () => {
  const [first] = readVectors<Vector & { meta: string; mac: string }>("outcome_mac");
  assertEquals(first?.name, "worked example");
  assertEquals(first?.meta, documentText("example-meta"));
  assertEquals(first?.mac, toHex(outcomeMac));
  const vm = parseVmName("work");
  assert(await verifyOutcome(await parseAuthKey(keyText), vm, outcome, toHex(outcomeMac)));
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", utf8("hello\n")));
  assertEquals(outcome.out.sha256, toHex(hash));
});

Deno.test("worked example: the outcome in the full form", async () => {
  const text = documentText("example-meta") + documentText("example-limit-line");
  assertEquals(encodeMeta(inAgreedForm(outcome, new Set(["ends"]))), text);
  const mac = toHex(documentBytes("example-full-outcome-mac"));
  const vm = parseVmName("work");
  assert(await verifyOutcome(await parseAuthKey(keyText), vm, parseMeta(utf8(text)), mac));
});

Deno.test("the capabilities in PROTOCOL.md are those of capability.ts", () => {
  assertEquals(column("capabilities", 0).join(), CAPABILITIES.join());
});

Deno.test("worked example: the frames", () => {
  const seq = 1;
  const same = (name: string, wire: Uint8Array) =>
    assertEquals(plain(wire), plain(documentBytes(`example-${name}`)), name);
  const vm = parseVmName("work");
  same("hello", createDom0Session(vm).hello());
  const vmHello = encodeFromVm({ kind: "hello", version: 2 });
  same("vm-hello", concat([vmHello, encodeFromVm({ kind: "pong", token: CAPABILITY_PING })]));
  const words = CAPABILITIES;
  same("vm-capabilities", encodeFromVm({ kind: "capabilities", words }));
  same("capabilities", encodeFromDom0({ kind: "capabilities", words }));
  same("credit", encodeFromDom0({ kind: "credit", count: 4 }));
  same("accepted", encodeFromDom0({ kind: "accepted", seq }));
  const data = utf8("hello\n");
  same("output", encodeFromDom0({ kind: "output", seq, stream: 1, offset: 0, data }));
  same("window", encodeFromVm({ kind: "window", seq, bytes: data.length }));
  same("ack", encodeFromVm({ kind: "ack", seq }));
  const request = encodeFromVm({ kind: "request", seq, envelope: file });
  assertEquals(plain(request), plain(concat([documentBytes("example-request-start"), file])));
  const answer = encodeFromDom0({ kind: "outcome", seq, mac: outcomeMac, outcome });
  const start = documentBytes("example-outcome-start");
  const text = utf8(documentText("example-meta"));
  assertEquals(plain(answer), plain(concat([start, outcomeMac, text])));
  assertEquals(
    plain(decodeFromDom0(atVm(answer))),
    plain({
      ...{ kind: "outcome", seq, mac: outcomeMac, outcome },
    }),
  );
});

Deno.test("second worked example: the request, its MAC input and its MAC", async () => {
  const operation = utf8("vm.prefs.set\0vm=work\0property=memory\0value=4096\0");
  const asked = concat([utf8(documentText("second-request-header")), utf8("\n"), operation]);
  const request = parseEnvelope(asked);
  assertEquals(plain(request.fields.body), plain(operation));
  assertEquals(plain(request.fields.flags), ["json"]);
  assertEquals(request.fields.why, "the build needs more memory");
  assertEquals(
    toHex(requestMacInput(request.fields)),
    toHex(documentBytes("second-request-mac-input")),
  );
  assertEquals(toHex(request.untrustedMac), toHex(documentBytes("second-request-mac")));
  assert(await authenticate(request, await parseAuthKey(keyText)) !== null, "the MAC is wrong");
  const vector = readVectors<Vector & { fileHex: string }>("envelope_seal")
    .find(({ name }) => name === "second worked example");
  assertEquals(vector?.fileHex, toHex(asked));
});

Deno.test("second worked example: the frames", () => {
  const accepted = encodeFromDom0({ kind: "accepted", seq: 2 });
  const parked = encodeFromDom0({ kind: "parked", seq: 2 });
  assertEquals(plain(concat([accepted, parked])), plain(documentBytes("second-parked")));
  assertEquals(plain(accepted), plain(documentBytes("second-approved")));
});

Deno.test("third worked example: a request that brings a payload, and its frames", async () => {
  const asked = concat([
    utf8(documentText("third-request-header")),
    utf8("\n"),
    utf8("tee\0/srv/greeting\0"),
  ]);
  const request = parseEnvelope(asked);
  const data = utf8("hello\n");
  const hash = toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", data)));
  assertEquals(request.fields.payload, { bytes: data.length, sha256: hash });
  const input = toHex(requestMacInput(request.fields));
  assertEquals(input, toHex(documentBytes("third-request-mac-input")));
  assertEquals(toHex(request.untrustedMac), toHex(documentBytes("third-request-mac")));
  assert(await authenticate(request, await parseAuthKey(keyText)) !== null, "the MAC is wrong");
  const vector = readVectors<Vector & { fileHex: string }>("envelope_seal")
    .find(({ name }) => name === "third worked example");
  assertEquals(vector?.fileHex, toHex(asked));
  const [seq, offset] = [3, 0];
  const accepted = encodeFromDom0({ kind: "accepted", seq });
  const pull = encodeFromDom0({ kind: "pull", seq, offset, bytes: data.length });
  assertEquals(plain(concat([accepted, pull])), plain(documentBytes("third-pull")));
  const payload = encodeFromVm({ kind: "payload", seq, offset, data });
  assertEquals(plain(payload), plain(documentBytes("third-payload")));
});

Deno.test("fourth worked example: a request that brings a live stream, and its frames", async () => {
  const asked = concat([
    utf8(documentText("fourth-request-header")),
    utf8("\n"),
    utf8("tee\0/srv/greeting\0"),
  ]);
  const request = parseEnvelope(asked);
  assertEquals(request.fields.payload, "live");
  const key = await parseAuthKey(keyText);
  assert(await authenticate(request, key) !== null, "the MAC is wrong");
  const vector = readVectors<Vector & { fileHex: string }>("envelope_seal")
    .find(({ name }) => name === "fourth worked example");
  assertEquals(vector?.fileHex, toHex(asked));
  const { vm, id, nonce } = request.fields;
  const input = macInput("qvm-remote/2/stream-key", [vm, id, nonce]);
  assertEquals(toHex(input), toHex(documentBytes("fourth-stream-key-input")));
  const raw = toHex(await computeMac(key.protocol2, input));
  assertEquals(raw, toHex(documentBytes("fourth-stream-key")));
  const streamKey = await makeStreamKey(key, request.fields);
  const frame = async (offset: number, isEnd: boolean, data: Bytes): Promise<unknown> => {
    const head = await signChunk(streamKey, { offset, isEnd, data });
    const wire = concat([new Uint8Array(CHUNK_ROOM_BYTES), head, data]);
    return plain(encodeFromVm({ kind: "chunk", seq: 4, offset, wire }));
  };
  const want = (offset: number): unknown => plain(encodeFromDom0({ kind: "want", seq: 4, offset }));
  const written = (name: string): unknown => plain(documentBytes(name));
  assertEquals(want(0), written("fourth-want"));
  assertEquals(await frame(0, false, utf8("hello\n")), written("fourth-chunk"));
  assertEquals(want(6), written("fourth-confirmed"));
  assertEquals(await frame(6, true, new Uint8Array(0)), written("fourth-end"));
});

Deno.test("the stand-ins in PROTOCOL.md are what an older peer is told", () => {
  const id = parseRequestId("20261122-091500-4242-a1b2c3d4");
  const { rows } = documentTable("stand-ins");
  for (const [reason = "", standIn] of rows) {
    if (!isRefusalReason(reason)) throw new Error(`${reason} is no reason`);
    const told = inAgreedForm(refusedOutcome(id, "-", reason), new Set(["ends"]));
    assertEquals(told.reason, standIn);
  }
  const later = Object.keys(REFUSAL_TEXT).filter(isRefusalReason).filter((reason) =>
    !isInForm(refusedOutcome(id, "-", reason), new Set()) && reason !== "clock"
  );
  assertEquals(later.toSorted(), column("stand-ins", 0).toSorted(), "all of them");
});

Deno.test("worked example: the token of protocol 1", async () => {
  const key = await parseAuthKey(documentText("example-v1-key").trim());
  const id = parseRequestId(documentText("example-v1-id").trim());
  assertEquals(await v1Token(key, id), documentText("example-v1-token").trim());
});

Deno.test("what the document's own reader reads is what is written", () => {
  assertEquals(plain(documentBytes("example-credit")), plain(fromHex("00000003020004")));
  assertEquals(plain(uint32(documentBytes("example-request-mac-input").length)), "hex:0000009b");
});

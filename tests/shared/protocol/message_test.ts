// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals } from "@std/assert";
import { type Bytes, concat, uint32, utf8 } from "../../../shared/protocol/bytes.ts";
import { createFrameDecoder, encodeFrame, type Frame } from "../../../shared/protocol/frame.ts";
import {
  MAX_BODY_BYTES,
  MAX_LISTED_NAME_BYTES,
  MAX_LISTING_BYTES,
  MAX_WIDE_OUTPUT_CHUNK_BYTES,
} from "../../../shared/protocol/limits.ts";
import {
  type Answer,
  CAPS_FROM_DOM0,
  CAPS_FROM_VM,
  CAPS_OF_ANSWER,
  decodeAnswer,
  decodeFromDom0,
  decodeFromVm,
  encodeAnswer,
  encodeFromDom0,
  encodeFromVm,
  QUEUE_FOLDERS,
  type QueueEntry,
} from "../../../shared/protocol/message.ts";
import { encodeFromVmAgain, encodeUnverified } from "../../fuzz/encode_again.ts";
import { fromHex, plain, testVectors, type Vector, verdict } from "./vectors.ts";

interface MessageVector extends Vector {
  readonly type: number;
  readonly payloadHex: string;
  /** The value; a field of bytes is named ...Hex. */
  readonly message?: unknown;
}

const frameOf = ({ type, payloadHex }: MessageVector): Frame => ({
  type,
  untrustedPayload: fromHex(payloadHex),
});

testVectors<MessageVector>("from_dom0", (vector) => {
  const frame = frameOf(vector);
  assertEquals(verdict(() => decodeFromDom0(frame)), vector.expect);
  if (vector.expect !== "ok") return;
  const message = decodeFromDom0(frame);
  assertEquals(withHexNames(message), vector.message);
  const wire = encodeFrame(vector.type, frame.untrustedPayload);
  assertEquals(plain(encodeFromDom0(message)), plain(wire), "there and back");
  assertEquals(createFrameDecoder(CAPS_FROM_DOM0).push(wire).length, 1, "fits its cap");
});

testVectors<MessageVector>("from_vm", (vector) => {
  const frame = frameOf(vector);
  assertEquals(verdict(() => decodeFromVm(frame)), vector.expect);
  if (vector.expect !== "ok") return;
  const message = decodeFromVm(frame);
  assertEquals(shownFromVm(message), vector.message);
  const wire = encodeFrame(vector.type, frame.untrustedPayload);
  assertEquals(plain(encodeFromVmAgain(message)), plain(wire), "there and back");
  assertEquals(createFrameDecoder(CAPS_FROM_VM).push(wire).length, 1, "fits its cap");
});

testVectors<MessageVector>("answer", (vector) => {
  const frame = frameOf(vector);
  assertEquals(verdict(() => decodeAnswer(frame)), vector.expect);
  if (vector.expect !== "ok") return;
  const answer = decodeAnswer(frame);
  assertEquals(plain(answer), vector.message);
  const wire = encodeFrame(vector.type, frame.untrustedPayload);
  assertEquals(plain(encodeAnswer(answer)), plain(wire), "there and back");
  assertEquals(createFrameDecoder(CAPS_OF_ANSWER).push(wire).length, 1, "fits its cap");
});

/** { data: bytes } as { dataHex: "…" }, as the vectors have it. */
function withHexNames(value: object): unknown {
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) =>
      field instanceof Uint8Array
        ? [`${name}Hex`, String(plain(field)).slice(4)]
        : [name, plain(field)]
    ),
  );
}

function shownFromVm(message: ReturnType<typeof decodeFromVm>): unknown {
  const { kind } = message;
  if (kind === "payload") return withHexNames(message);
  if (kind === "chunk") {
    const { untrustedMac: mac, ...rest } = message;
    return withHexNames({ ...rest, mac });
  }
  if (kind === "request") {
    return withHexNames({ kind, seq: message.seq, envelope: encodeUnverified(message.request) });
  }
  if (kind === "request-v1") {
    const { id, untrustedToken: token, body } = message.request;
    return withHexNames({ kind, seq: message.seq, id, token, body });
  }
  return message;
}

Deno.test("no message of any kind parses with its end cut off, or with a byte more", () => {
  const messages: readonly [decode: (frame: Frame) => unknown, wire: Bytes][] = [
    [decodeFromDom0, encodeFromDom0({ kind: "credit", count: 3 })],
    [decodeFromDom0, encodeFromDom0({ kind: "ping", token: 3 })],
    [decodeFromDom0, encodeFromDom0({ kind: "accepted", seq: 3 })],
    [decodeFromVm, encodeFromVm({ kind: "hello", version: 2 })],
    [decodeFromVm, encodeFromVm({ kind: "cancel", seq: 3 })],
    [decodeFromVm, encodeFromVm({ kind: "window", seq: 3, bytes: 9 })],
    [decodeFromVm, encodeFromVm({ kind: "ack", seq: 3 })],
    [decodeFromVm, encodeFromVm({ kind: "pong", token: 3 })],
    [decodeAnswer, encodeAnswer(report(1))],
  ];
  let tried = 0;
  for (const [decode, wire] of messages) {
    const [type = 0, payload] = [wire[4], wire.subarray(5)];
    decode({ type, untrustedPayload: payload });
    for (let length = 0; length < payload.length; length++) {
      const cut = { type, untrustedPayload: payload.subarray(0, length) };
      assertEquals(verdict(() => decode(cut)), "bad-frame", `type ${type}, ${length} bytes`);
      tried++;
    }
    const longer = { type, untrustedPayload: concat([payload, new Uint8Array(1)]) };
    assertEquals(verdict(() => decode(longer)), "bad-frame", `type ${type}, a byte more`);
  }
  assert(tried > 30, "the messages vanished");
});

const report = (count: number): Answer => ({
  ...{ kind: "report", pending: count, running: count, results: count, removed: count },
});

Deno.test("output of a full chunk fits its frame, and one byte more does not", () => {
  for (const [bytes, expect] of [[0, "ok"], [1, "too-long"]] as const) {
    const data = new Uint8Array(MAX_WIDE_OUTPUT_CHUNK_BYTES + bytes);
    const wire = encodeFromDom0({ kind: "output", seq: 1, stream: 2, offset: 0, data });
    assertEquals(verdict(() => createFrameDecoder(CAPS_FROM_DOM0).push(wire)), expect);
  }
});

Deno.test("the largest body of protocol 1 passes, one byte more does not", () => {
  const id = "20260218-143022-4294967295-a1b2c3d4";
  const head = concat([uint32(1), new Uint8Array([id.length]), utf8(id), utf8("0".repeat(64))]);
  for (const [more, expect] of [[0, "ok"], [1, "too-long"]] as const) {
    const payload = concat([head, new Uint8Array(MAX_BODY_BYTES + more)]);
    const frame = { type: 0x83, untrustedPayload: payload };
    assertEquals(verdict(() => decodeFromVm(frame)), expect, `${more} bytes more`);
  }
});

Deno.test("a listing of 200 of the longest names fits, and names are cut between characters", () => {
  const entry: QueueEntry = {
    folder: "results",
    bytes: 2 ** 40,
    untrustedName: "é".repeat(61),
  };
  const wire = encodeAnswer({ kind: "listing", entries: Array.from({ length: 200 }, () => entry) });
  assert(wire.length <= MAX_LISTING_BYTES, `${wire.length} bytes`);
  const [frame] = createFrameDecoder(CAPS_OF_ANSWER).push(wire);
  if (frame === undefined) throw new Error("no frame");
  const answer = decodeAnswer(frame);
  assert(answer.kind === "listing" && answer.entries.length === 200, "entries vanished");
  for (const { folder, bytes, untrustedName } of answer.entries) {
    assertEquals(folder, "results");
    assertEquals(bytes, 0xffff_ffff, "a size past 32 bits is shown as the largest");
    assertEquals(untrustedName, "é".repeat(MAX_LISTED_NAME_BYTES / 2));
  }
});

Deno.test("a name one byte past its limit is cut before the character that does not fit", () => {
  const untrustedName = "x" + "é".repeat(60);
  const entries: QueueEntry[] = [{ folder: "pending", bytes: 1, untrustedName }];
  const [frame] = createFrameDecoder(CAPS_OF_ANSWER).push(
    encodeAnswer({ kind: "listing", entries }),
  );
  if (frame === undefined) throw new Error("no frame");
  const answer = decodeAnswer(frame);
  assert(answer.kind === "listing");
  assertEquals(answer.entries[0]?.untrustedName, "x" + "é".repeat(59));
});

Deno.test("the folders keep their numbers on the wire", () => {
  assertEquals(QUEUE_FOLDERS.join(" "), "pending running results cancel");
});

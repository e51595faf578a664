// SPDX-License-Identifier: GPL-2.0-or-later
/** Server-sent events: the examples of the standard, and every way to cut a stream. @module */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { createPrng } from "../../../fuzz/prng.ts";
import {
  createSseSplitter,
  SseError,
  type SseEvent,
  sseText,
} from "../../../../vm/proxy/stream/sse.ts";
import { bytesOf, joined } from "../translate/streams.ts";

type Seen = readonly (readonly [event: string, data: string | null])[];

/** Text -> events, after WHATWG HTML 9.2.6 and its examples. */
const CASES: readonly (readonly [name: string, text: string, want: Seen])[] = [
  ["two lines are one text", "data: YHOO\ndata: +2\ndata: 10\n\n", [["", "YHOO\n+2\n10"]]],
  ["a comment has no data", ": test stream\n\ndata: first event\nid: 1\n\n", [
    ["", null],
    ["", "first event"],
  ]],
  ["only one space is taken", "data:  third event\n\n", [["", " third event"]]],
  ["data without a colon is empty", "data\n\ndata\ndata\n\n", [["", ""], ["", "\n"]]],
  ["with and without a space", "data:test\n\ndata: test\n\n", [["", "test"], ["", "test"]]],
  ["named", "event: add\ndata: 73857293\n\n", [["add", "73857293"]]],
  ["CRLF", "event: a\r\ndata: 1\r\n\r\ndata: 2\r\n\r\n", [["a", "1"], ["", "2"]]],
  ["CR", "data: 1\r\rdata: 2\r\r", [["", "1"], ["", "2"]]],
  ["mixed ends", "data: 1\r\n\ndata: 2\n\r\ndata: 3\r\n\r\n", [["", "1"], ["", "2"], ["", "3"]]],
  ["a byte order mark", "\ufeffdata: 1\n\n", [["", "1"]]],
  ["a byte order mark later is text", "data: 1\n\n\ufeffdata: 2\n\n", [["", "1"], ["", null]]],
  ["more than one byte to a letter", "data: grüße 🙂\n\n", [["", "grüße 🙂"]]],
  ["empty lines are kept", "\n\ndata: 1\n\n", [["", null], ["", null], ["", "1"]]],
  ["a rest", "data: 1\n\ndata: 2\n", [["", "1"], ["", "2"]]],
];

function split(pieces: readonly Uint8Array[]): SseEvent[] {
  const splitter = createSseSplitter();
  return [...pieces.flatMap((piece) => splitter.push(piece)), ...splitter.end()];
}

const seen = (events: readonly SseEvent[]): Seen => events.map(({ event, data }) => [event, data]);

for (const [name, text, want] of CASES) {
  Deno.test(`events: ${name}, cut in two at every byte and in single bytes`, () => {
    const wire = bytesOf(text);
    const whole = split([wire]);
    assertEquals(seen(whole), want);
    for (let cut = 0; cut <= wire.length; cut++) {
      assertEquals(split([wire.slice(0, cut), wire.slice(cut)]), whole, `cut at ${cut}`);
    }
    assertEquals(split([...wire].map((byte) => Uint8Array.of(byte))), whole);
    assertEquals(joined(whole.map(({ raw }) => raw)), wire);
  });
}

Deno.test("events: only a rest without its empty line is not complete", () => {
  assertEquals(split([bytesOf("data: 1\n\ndata: 2\n")]).map(({ complete }) => complete), [
    true,
    false,
  ]);
  assertEquals(split([bytesOf("data: 1\r\r")]).map(({ complete }) => complete), [true]);
});

Deno.test("events: no byte is lost and no cut matters, on noise made of what matters", () => {
  const bits = ["data: x", "data", ":", " ", "\n", "\r", "\r\n", "event: e", "é", "\ufeff", "\xff"];
  let events = 0;
  for (let seed = 1; seed <= 2000; seed++) {
    const prng = createPrng(seed);
    const text = Array.from({ length: prng.below(40) }, () => prng.pick(bits)).join("");
    const wire = bytesOf(text);
    const whole = split([wire]);
    events += whole.length;
    assertEquals(joined(whole.map(({ raw }) => raw)), wire, `seed ${seed}`);
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < wire.length;) {
      const to = at + 1 + prng.below(7);
      pieces.push(wire.slice(at, to));
      at = to;
    }
    assertEquals(split(pieces), whole, `seed ${seed}`);
  }
  assert(events > 4000, `only ${events} events`);
});

Deno.test("events: one above the cap is refused before its end comes", () => {
  const splitter = createSseSplitter(10);
  assertEquals(splitter.push(bytesOf("data: 12\n\n")).length, 1);
  splitter.push(bytesOf("data: 123"));
  assertThrows(() => splitter.push(bytesOf("45")), SseError, "10 bytes");
});

Deno.test("events: the caller may use its buffer again", () => {
  const splitter = createSseSplitter();
  const buffer = bytesOf("data: ab");
  splitter.push(buffer);
  buffer.fill(0);
  assertEquals(seen(splitter.push(bytesOf("\n\n"))), [["", "ab"]]);
});

Deno.test("events: what is written is read again", () => {
  assertEquals(seen(split([bytesOf(sseText('{"a":1}', "ping") + sseText("a\nb"))])), [
    ["ping", '{"a":1}'],
    ["", "a\nb"],
  ]);
});

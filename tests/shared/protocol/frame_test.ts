// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals } from "@std/assert";
import { type Bytes, concat, uint32 } from "../../../shared/protocol/bytes.ts";
import { createFrameDecoder, encodeFrame, type Frame } from "../../../shared/protocol/frame.ts";
import { CAPS_FROM_DOM0, CAPS_FROM_VM, CAPS_OF_ANSWER } from "../../../shared/protocol/message.ts";
import { createPrng } from "../../fuzz/prng.ts";
import { fromHex, plain, readVectors, testVectors, type Vector, verdict } from "./vectors.ts";

interface FrameVector extends Vector {
  /** Largest payload of each type. */
  readonly caps: Readonly<Record<string, number>>;
  readonly streamHex: string;
  readonly frames?: readonly { readonly type: number; readonly payloadHex: string }[];
}

const capsOf = ({ caps }: FrameVector): ReadonlyMap<number, number> =>
  new Map(Object.entries(caps).map(([type, cap]) => [Number(type), cap]));

/** All the frames of a stream that arrives in pieces. */
function decodeAll(pieces: Iterable<Uint8Array>, caps: ReadonlyMap<number, number>): Frame[] {
  const decoder = createFrameDecoder(caps);
  const frames: Frame[] = [];
  for (const piece of pieces) frames.push(...decoder.push(piece));
  decoder.end();
  return frames;
}

function* inPieces(stream: Bytes, pieceBytes: number): Iterable<Uint8Array> {
  for (let at = 0; at < stream.length; at += pieceBytes) {
    yield stream.subarray(at, at + pieceBytes);
  }
}

testVectors<FrameVector>("frame", (vector) => {
  const stream = fromHex(vector.streamHex);
  const want = (vector.frames ?? []).map(({ type, payloadHex }) => `${type}:${payloadHex}`);
  for (let pieceBytes = 1; pieceBytes <= stream.length + 1; pieceBytes++) {
    let frames: Frame[] = [];
    const got = verdict(() => frames = decodeAll(inPieces(stream, pieceBytes), capsOf(vector)));
    assertEquals(got, vector.expect, `pieces of ${pieceBytes} bytes`);
    if (got !== "ok") continue;
    const shown = frames.map(({ type, untrustedPayload }) =>
      `${type}:${String(plain(untrustedPayload)).slice(4)}`
    );
    assertEquals(shown.join(" "), want.join(" "), `pieces of ${pieceBytes} bytes`);
    const again = frames.map(({ type, untrustedPayload }) => encodeFrame(type, untrustedPayload));
    assertEquals(plain(concat(again)), plain(stream), "there and back");
  }
});

const EDGE_CAPS = new Map([[7, 70_000]]);
const EDGES = [0, 1, 2, 254, 255, 256, 257, 4095, 65_535, 65_536, 70_000];
const EDGE_STREAM = concat(
  EDGES.map((bytes) => encodeFrame(7, new Uint8Array(bytes).fill(bytes & 0xff))),
);

function checkEdges(frames: readonly Frame[], how: string): void {
  assertEquals(frames.length, EDGES.length, how);
  frames.forEach(({ untrustedPayload }, i) => {
    const bytes = EDGES[i] ?? -1;
    assertEquals(untrustedPayload.length, bytes, how);
    assert(untrustedPayload.every((byte) => byte === (bytes & 0xff)), `${how}, frame ${i}`);
  });
}

Deno.test("the decoder gives the same frames at every cut near a border", () => {
  const borders: number[] = [];
  let at = 0;
  for (const bytes of EDGES) {
    for (let near = -6; near <= 6; near++) borders.push(at + near, at + 5 + near);
    at += 5 + bytes;
  }
  const cuts = [...new Set(borders)].filter((cut) => cut >= 0 && cut <= EDGE_STREAM.length);
  assert(cuts.length > 100, "cuts were lost");
  for (const cut of cuts) {
    const pieces = [EDGE_STREAM.subarray(0, cut), EDGE_STREAM.subarray(cut)];
    checkEdges(decodeAll(pieces, EDGE_CAPS), `cut at ${cut}`);
  }
});

Deno.test("the decoder gives the same frames in pieces of one size", () => {
  for (const pieceBytes of [1, 2, 3, 4, 5, 6, 7, 13, 64, 255, 256, 4096, 65_536, 1 << 20]) {
    const pieces = inPieces(EDGE_STREAM, pieceBytes);
    checkEdges(decodeAll(pieces, EDGE_CAPS), `pieces of ${pieceBytes} bytes`);
  }
});

Deno.test("the decoder gives the same frames in random pieces, some of them empty", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const prng = createPrng(seed);
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < EDGE_STREAM.length;) {
      const bytes = prng.below(prng.oneIn(3) ? 8 : 9000);
      pieces.push(EDGE_STREAM.subarray(at, at + bytes));
      at += bytes;
    }
    checkEdges(decodeAll(pieces, EDGE_CAPS), `seed ${seed}`);
  }
});

Deno.test("frames do not share memory with the stream or with each other", () => {
  const stream = concat([
    encodeFrame(7, new Uint8Array([1, 2])),
    encodeFrame(7, new Uint8Array(2)),
  ]);
  const [first, second] = createFrameDecoder(EDGE_CAPS).push(stream);
  stream.fill(9);
  second?.untrustedPayload.fill(8);
  assertEquals(plain(first?.untrustedPayload), "hex:0102");
});

Deno.test("a length of 4 GiB is refused at the header, for every type of every side", () => {
  for (const caps of [CAPS_FROM_VM, CAPS_FROM_DOM0, CAPS_OF_ANSWER]) {
    for (const [type, cap] of caps) {
      for (const payloadBytes of [cap + 1, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe]) {
        const header = concat([uint32(payloadBytes + 1), new Uint8Array([type])]);
        const got = verdict(() => createFrameDecoder(caps).push(header));
        assertEquals(got, "too-long", `type ${type}, payload of ${payloadBytes} bytes`);
      }
      const largest = encodeFrame(type, new Uint8Array(cap));
      const [frame] = createFrameDecoder(caps).push(largest);
      assertEquals(frame?.untrustedPayload.length, cap, `type ${type}: its cap passes`);
    }
  }
});

Deno.test("each side refuses every type that is not in its table, at the header", () => {
  for (const caps of [CAPS_FROM_VM, CAPS_FROM_DOM0, CAPS_OF_ANSWER]) {
    let refused = 0;
    for (let type = 0; type <= 255; type++) {
      if (caps.has(type)) continue;
      const header = concat([uint32(1000), new Uint8Array([type])]);
      assertEquals(verdict(() => createFrameDecoder(caps).push(header)), "unknown-type", `${type}`);
      refused++;
    }
    assertEquals(refused, 256 - caps.size);
  }
});

Deno.test("a decoder holds no more than one payload, however the peer sends it", () => {
  const payloadBytes = 1 << 20;
  const decoder = createFrameDecoder(new Map([[7, payloadBytes]]));
  const stream = encodeFrame(7, new Uint8Array(payloadBytes));
  const before = Deno.memoryUsage().external;
  let most = 0;
  for (let at = 0; at < stream.length - 1; at++) {
    decoder.push(stream.subarray(at, at + 1));
    if (at % 4096 === 0) most = Math.max(most, Deno.memoryUsage().external - before);
  }
  assert(most < 4 * payloadBytes, `${most} bytes for a payload of ${payloadBytes}`);
  const [frame] = decoder.push(stream.subarray(-1));
  assertEquals(frame?.untrustedPayload.length, payloadBytes);
  assertEquals(frame?.untrustedPayload.buffer.byteLength, payloadBytes, "and nothing beside it");
});

Deno.test("after a refused frame the decoder gives nothing more", () => {
  for (const vector of readVectors<FrameVector>("frame")) {
    const decoder = createFrameDecoder(capsOf(vector));
    if (verdict(() => decoder.push(fromHex(vector.streamHex))) === "ok") continue;
    const good = encodeFrame(2, new Uint8Array(4));
    for (const piece of [good, new Uint8Array(1), new Uint8Array(0), good]) {
      assertEquals(verdict(() => decoder.push(piece)), "unexpected", vector.name);
    }
    assertEquals(verdict(() => decoder.end()), "cut-off", vector.name);
  }
});

Deno.test("frames that are lent are the same, wherever the stream is cut", () => {
  const prng = createPrng(11);
  const frames = Array.from({ length: 200 }, (_, i): Frame => ({
    type: 1 + (i & 1),
    untrustedPayload: new Uint8Array(prng.below(40)).fill(i),
  }));
  const stream = concat(
    frames.map(({ type, untrustedPayload }) => encodeFrame(type, untrustedPayload)),
  );
  for (let round = 0; round < 50; round++) {
    const decoder = createFrameDecoder(new Map([[1, 40], [2, 40]]), () => true);
    const got: Frame[] = [];
    const buffer = new Uint8Array(300);
    for (let at = 0; at < stream.length;) {
      const piece = stream.subarray(at, at + 1 + prng.below(300));
      buffer.set(piece); // the same buffer for every piece, as a reader has it
      for (const { type, untrustedPayload } of decoder.push(buffer.subarray(0, piece.length))) {
        got.push({ type, untrustedPayload: untrustedPayload.slice() });
      }
      at += piece.length;
    }
    decoder.end();
    assertEquals(got, frames);
  }
});

// SPDX-License-Identifier: GPL-2.0-or-later
/** Streams for tests: bytes in pieces, read and written by the readers and writers. @module */

import type { Prng } from "../../../fuzz/prng.ts";
import { createSseSplitter, type SseEvent } from "../../../../vm/proxy/stream/sse.ts";
import type {
  AnswerIdentity,
  StreamEvent,
  StreamReader,
  StreamWriter,
} from "../../../../vm/proxy/translate/completion.ts";

export const bytesOf = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

export const joined = (pieces: readonly Uint8Array[]): Uint8Array =>
  new Uint8Array(pieces.flatMap((piece) => [...piece]));

export const WHO: AnswerIdentity = {
  ...{ id: "id1", model: "auto", createdS: 1_700_000_000, maker: "up" },
};

export function splitWhole(text: string): SseEvent[] {
  const splitter = createSseSplitter();
  return [...splitter.push(bytesOf(text)), ...splitter.end()];
}

/** Reads a stream that comes in these pieces, to its end. */
export function readPieces(reader: StreamReader, pieces: readonly Uint8Array[]): StreamEvent[] {
  const splitter = createSseSplitter();
  const events = [
    ...pieces.flatMap((piece) => splitter.push(piece)),
    ...splitter.end(),
  ].flatMap((event) => reader.push(event));
  return [...events, ...reader.end()];
}

export const readText = (reader: StreamReader, text: string): StreamEvent[] =>
  readPieces(reader, [bytesOf(text)]);

export const writeAll = (writer: StreamWriter, events: readonly StreamEvent[]): string =>
  events.map((event) => writer.write(event)).join("");

/** The JSON of each event; marks that are none stay text. */
export const dataOf = (text: string): unknown[] =>
  splitWhole(text).map(({ data }) => data === "[DONE]" || data === null ? data : JSON.parse(data));

/** What tests look at: without what says only that the stream lives. */
export const content = (events: readonly StreamEvent[]): StreamEvent[] =>
  events.filter(({ kind }) => kind !== "heartbeat");

export function inPieces(bytes: Uint8Array, prng: Prng, maxBytes: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const to = at + 1 + prng.below(maxBytes);
    pieces.push(bytes.slice(at, to));
    at = to;
  }
  return pieces;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Server-sent events, bytes in and events out (WHATWG HTML, 9.2.6 "Interpreting an event stream").
 *
 *     : comment                 lines end in LF, CRLF or CR; an empty line ends the event
 *     event: content_block_delta
 *     data: {"type":...}        several data lines are one text, joined by LF
 *
 * Each event keeps its own bytes, so that a stream can be passed on unchanged while it is read.
 *
 * @module
 */

import { concat } from "../../../shared/protocol/bytes.ts";

/** One event holds at most one delta, or one whole JSON answer with an image in base64. */
export const MAX_SSE_EVENT_BYTES = 32 * 1024 * 1024;

/** The stream cannot be split: an event is longer than the cap. */
export class SseError extends Error {
  override readonly name = "SseError";
}

export interface SseEvent {
  /** The bytes of this event with its empty line; those of all events are those that came in. */
  readonly raw: Uint8Array;
  /** "" if the event names none. */
  readonly event: string;
  /** null if there is nothing to dispatch: comments, or fields without data. */
  readonly data: string | null;
  /** False for a rest without its empty line, which only end() gives. */
  readonly complete: boolean;
}

export interface SseSplitter {
  /** Takes any slice of the stream. @throws {SseError} if an event is too long */
  push(untrustedChunk: Uint8Array): SseEvent[];
  /** What was left without an empty line at its end, if anything. */
  end(): SseEvent[];
}

const LF = 0x0a;
const CR = 0x0d;
const BYTE_ORDER_MARK = "\ufeff";

/** The event whose end has not come yet; its pieces are joined once, when it is whole. */
function createOpenEvent(maxEventBytes: number): {
  readonly keep: (bytes: Uint8Array) => void;
  readonly finish: (complete: boolean) => SseEvent;
  readonly isEmpty: () => boolean;
} {
  let pieces: Uint8Array[] = [];
  let pendingBytes = 0;
  let first = true;
  return {
    keep(bytes) {
      pendingBytes += bytes.length;
      if (pendingBytes > maxEventBytes) {
        throw new SseError(`an event is longer than ${maxEventBytes} bytes`);
      }
      if (bytes.length > 0) pieces.push(bytes);
    },
    finish(complete) {
      const event = parseEvent(concat(pieces), first, complete);
      pieces = [];
      pendingBytes = 0;
      first = false;
      return event;
    },
    isEmpty: () => pendingBytes === 0,
  };
}

export function createSseSplitter(maxEventBytes: number = MAX_SSE_EVENT_BYTES): SseSplitter {
  const { keep, finish, isEmpty } = createOpenEvent(maxEventBytes);
  let lineBytes = 0;
  let afterCr = false;
  let isBlank = false; // the CR just seen ends an event; a LF may still belong to it

  return {
    push(untrustedChunk) {
      const events: SseEvent[] = [];
      let from = 0;
      const cut = (to: number): void => {
        keep(untrustedChunk.subarray(from, to));
        events.push(finish(true));
        from = to;
      };
      for (let i = 0; i < untrustedChunk.length; i++) {
        const byte = untrustedChunk[i];
        if (afterCr) {
          afterCr = false;
          const ended = isBlank;
          isBlank = false;
          if (ended) cut(byte === LF ? i + 1 : i);
          if (byte === LF) continue;
        }
        if (byte !== LF && byte !== CR) {
          lineBytes++;
          continue;
        }
        const blank = lineBytes === 0;
        lineBytes = 0;
        if (byte === CR) {
          afterCr = true;
          isBlank = blank;
        } else if (blank) cut(i + 1);
      }
      keep(untrustedChunk.slice(from)); // a copy: the caller may use its buffer again
      return events;
    },
    end() {
      const complete = isBlank;
      isBlank = afterCr = false;
      return isEmpty() ? [] : [finish(complete)];
    },
  };
}

/** The bytes of one event to write. @param data without CR or LF is one line, as JSON is */
export function sseText(data: string, event?: string): string {
  const lines = data.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`).join("");
  return `${event === undefined ? "" : `event: ${event}\n`}${lines}\n`;
}

function parseEvent(raw: Uint8Array, first: boolean, complete: boolean): SseEvent {
  let text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(raw);
  if (first && text.startsWith(BYTE_ORDER_MARK)) text = text.slice(1);
  let event = "";
  const data: string[] = [];
  for (const line of text.split(/\r\n|\r|\n/)) {
    const colon = line.indexOf(":");
    if (colon === 0) continue; // a comment
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "event") event = value;
    else if (name === "data") data.push(value); // "id" and "retry" have no use here
  }
  return { raw, event, data: data.length === 0 ? null : data.join("\n"), complete };
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What must be known of a stream that is passed on byte for byte: where an event ends, whether
 * the stream ended properly, what it cost. Bytes are looked at in two places only: the last event
 * boundary of each piece, and, when it is over, the beginning and the end that were kept.
 *
 * @module
 */

import type { Tokens } from "./exchange.ts";
import { MAX_SSE_EVENT_BYTES, SseError } from "./sse.ts";

const KEPT_BYTES = 16 * 1024;
/** An event that grows larger is passed on in pieces. */
const MAX_HELD_BYTES = 1024 * 1024;
const LF = 10;
const CR = 13;

export interface StreamWatch {
  /**
   * @returns what may be sent now: whole events only, so that something may stand behind them
   * @throws {SseError} if an event does not end
   */
  push(untrusted: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>;
  /** What push() held back, at a proper end. */
  rest(): Uint8Array<ArrayBuffer>;
  head(): string;
  tail(): string;
  bytes(): number;
}

/** @param events false: no stream of events, nothing is held back */
export function createStreamWatch(events: boolean): StreamWatch {
  const head = new Uint8Array(KEPT_BYTES);
  let headLength = 0;
  let tail: Uint8Array = new Uint8Array(0);
  let held: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  let total = 0;
  let unendedBytes = 0;
  const keep = (bytes: Uint8Array): void => {
    total += bytes.length;
    if (headLength < KEPT_BYTES) {
      const part = bytes.subarray(0, KEPT_BYTES - headLength);
      head.set(part, headLength);
      headLength += part.length;
    }
    tail = bytes.length >= KEPT_BYTES
      ? bytes.slice(-KEPT_BYTES)
      : joined(tail.subarray(Math.max(0, tail.length + bytes.length - KEPT_BYTES)), bytes);
  };
  return {
    push(untrusted) {
      keep(untrusted);
      if (!events) return untrusted;
      const all = held.length === 0 ? untrusted : joined(held, untrusted);
      const boundary = lastBoundary(all);
      unendedBytes = boundary > 0 ? all.length - boundary : unendedBytes + untrusted.length;
      if (unendedBytes > MAX_SSE_EVENT_BYTES) throw new SseError("an event does not end");
      const end = all.length > MAX_HELD_BYTES ? all.length : boundary;
      held = all.subarray(end);
      return all.subarray(0, end);
    },
    rest() {
      const rest = held;
      held = new Uint8Array(0);
      return rest;
    },
    head: () => new TextDecoder().decode(head.subarray(0, headLength)),
    tail: () => new TextDecoder().decode(tail),
    bytes: () => total,
  };
}

/** Behind the last empty line; 0 if there is none. */
export function lastBoundary(bytes: Uint8Array): number {
  for (let at = bytes.length - 1; at > 0; at--) {
    if (bytes[at] !== LF) continue;
    if (bytes[at - 1] === LF || (bytes[at - 1] === CR && bytes[at - 2] === LF)) return at + 1;
  }
  return 0;
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}

const COUNTS = {
  input: ["prompt_tokens", "input_tokens"],
  output: ["completion_tokens", "output_tokens"],
  cacheRead: ["cached_tokens", "cache_read_input_tokens"],
  cacheWrite: ["cache_creation_input_tokens"],
} as const;

/**
 * The tokens that a stream or a body of any of the APIs names, the last mention counting. In a
 * JSON string every quote is escaped, so that a model that writes "output_tokens": 0 is not
 * believed.
 */
export function tokensIn(head: string, tail: string): Tokens | null {
  const find = (names: readonly string[]): number | null => {
    for (const text of [tail, head]) {
      const pattern = new RegExp(
        `(?<!\\\\)"(?:${names.join("|")})":\\s*(\\d{1,9})(?![\\d.eE])`,
        "g",
      );
      const last = [...text.matchAll(pattern)].at(-1)?.[1];
      if (last !== undefined) return Number(last);
    }
    return null;
  };
  const [input, output] = [find(COUNTS.input), find(COUNTS.output)];
  if (input === null && output === null) return null;
  const cacheWrite = find(COUNTS.cacheWrite) ?? 0;
  const cacheRead = find(COUNTS.cacheRead) ?? 0;
  // Anthropic counts what is cached beside the input, OpenAI in it.
  const beside = /(?<!\\)"cache_read_input_tokens"/.test(head + tail) ? cacheRead + cacheWrite : 0;
  return { input: (input ?? 0) + beside, output: output ?? 0, cacheRead, cacheWrite };
}

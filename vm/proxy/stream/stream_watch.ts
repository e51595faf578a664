// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What must be known of a stream that is passed on byte for byte: where an event ends, whether
 * the stream ended properly, what it cost. Bytes are looked at in two places only: the last event
 * boundary of each piece, and, when it is over, the beginning and the end that were kept.
 *
 * @module
 */

import { concat } from "../../../shared/protocol/bytes.ts";
import type { Tokens } from "../exchange.ts";
import type { Bytes } from "../bytes.ts";
import { MAX_SSE_EVENT_BYTES, SseError } from "./sse.ts";

const KEPT_BYTES = 16 * 1024;
const FIRST_BUFFER_BYTES = 4 * 1024;
/** An event that grows larger is passed on in pieces. */
const MAX_HELD_BYTES = 1024 * 1024;
const LF = 10;
const CR = 13;

export interface StreamWatch {
  /**
   * @returns what may be sent now: whole events only, so that something may stand behind them
   * @throws {SseError} if an event does not end
   */
  push(untrusted: Bytes): Bytes;
  /** What push() held back, at a proper end. */
  rest(): Bytes;
  head(): string;
  tail(): string;
  bytes(): number;
  /** What it cost, if it says so. */
  tokens(): Tokens | null;
}

/** @param events false: no stream of events, nothing is held back */
export function createStreamWatch(events: boolean): StreamWatch {
  const kept = createEnds();
  let held: Bytes = new Uint8Array(0);
  let unendedBytes = 0;
  return {
    push(untrusted) {
      kept.push(untrusted);
      if (!events) return untrusted;
      const all = held.length === 0 ? untrusted : concat([held, untrusted]);
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
    head: () => decoded(kept.head()),
    tail: () => decoded(kept.tail()),
    bytes: kept.bytes,
    tokens() {
      const isShort = kept.bytes() <= KEPT_BYTES; // then the end holds the beginning
      return tokensIn(isShort ? "" : decoded(kept.head()), decoded(kept.tail()));
    },
  };
}

/** The first and the last KEPT_BYTES of what was pushed; each byte is moved twice at most. */
function createEnds() {
  let buffer = new Uint8Array(FIRST_BUFFER_BYTES);
  let length = 0;
  let head: Uint8Array | null = null; // null: the buffer still has it
  let total = 0;
  const grow = (needed: number): void => {
    const larger = new Uint8Array(Math.min(2 * KEPT_BYTES, Math.max(needed, 2 * buffer.length)));
    larger.set(buffer.subarray(0, length));
    buffer = larger;
  };
  return {
    push(bytes: Uint8Array): void {
      total += bytes.length;
      const needed = length + bytes.length;
      if (needed > buffer.length && buffer.length < 2 * KEPT_BYTES) grow(needed);
      if (needed > buffer.length) {
        head ??= concat([buffer.subarray(0, length), bytes.subarray(0, KEPT_BYTES)])
          .slice(0, KEPT_BYTES);
        const stays = Math.min(length, Math.max(0, KEPT_BYTES - bytes.length));
        buffer.copyWithin(0, length - stays, length);
        length = stays;
      }
      const part = bytes.subarray(Math.max(0, bytes.length - (buffer.length - length)));
      buffer.set(part, length);
      length += part.length;
    },
    head: (): Uint8Array => head ?? buffer.subarray(0, Math.min(length, KEPT_BYTES)),
    tail: (): Uint8Array => buffer.subarray(Math.max(0, length - KEPT_BYTES), length),
    bytes: () => total,
  };
}

const decoder = new TextDecoder();

function decoded(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** The index after the last empty line; 0 without one. */
export function lastBoundary(bytes: Uint8Array): number {
  for (let at = bytes.length - 1; at > 0; at--) {
    if (bytes[at] !== LF) continue;
    if (bytes[at - 1] === LF || (bytes[at - 1] === CR && bytes[at - 2] === LF)) return at + 1;
  }
  return 0;
}

type Count = keyof Tokens | "beside" | "total";

const COUNTS: ReadonlyMap<string, readonly Count[]> = new Map<string, readonly Count[]>([
  ["prompt_tokens", ["input"]],
  ["input_tokens", ["input"]],
  ["completion_tokens", ["output"]],
  ["output_tokens", ["output"]],
  ["total_tokens", ["total"]],
  ["reasoning_tokens", ["reasoning"]],
  ["cached_tokens", ["cacheRead"]],
  ["prompt_cache_hit_tokens", ["cacheRead"]], // DeepSeek
  // Anthropic counts what is cached beside the input, OpenAI in it.
  ["cache_read_input_tokens", ["cacheRead", "beside"]],
  ["cache_creation_input_tokens", ["cacheWrite"]],
  ["ephemeral_1h_input_tokens", ["cacheWriteHour"]],
]);
const COUNT = new RegExp(
  `(?<!\\\\)"(${[...COUNTS.keys()].join("|")})":\\s*(\\d{1,9})(?![\\d.eE])`,
  "g",
);

/**
 * The tokens that a stream or a body of any of the APIs names, the last mention counting. In a
 * JSON string every quote is escaped, so that a model that writes "output_tokens": 0 is not
 * believed.
 */
export function tokensIn(head: string, tail: string): Tokens | null {
  const found: Partial<Record<Count, number>> = {};
  for (const text of [head, tail]) {
    for (const [, name = "", value] of text.matchAll(COUNT)) {
      for (const count of COUNTS.get(name) ?? []) found[count] = Number(value);
    }
  }
  const { input = 0, output = 0, cacheRead = 0, cacheWrite = 0, reasoning = 0 } = found;
  if (found.input === undefined && found.output === undefined) return null;
  const beside = found.beside === undefined ? 0 : cacheRead + cacheWrite;
  // Some servers (xAI, Gemini) count hidden thinking in the total only.
  const unnamed = (found.total ?? 0) - input;
  return {
    input: input + beside,
    output: Math.max(output, unnamed),
    reasoning,
    cacheRead,
    cacheWrite,
    cacheWriteHour: Math.min(cacheWrite, found.cacheWriteHour ?? 0),
  };
}

/** The same of a body that is there as a whole. */
export function tokensInBody(untrusted: Uint8Array): Tokens | null {
  if (untrusted.length <= KEPT_BYTES) return tokensIn("", decoded(untrusted));
  const [head, tail] = [untrusted.subarray(0, KEPT_BYTES), untrusted.subarray(-KEPT_BYTES)];
  return tokensIn(decoded(head), decoded(tail));
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The stream that the client reads: the upstream's, byte for byte, with a sign of life while it
 * is silent and a proper end when it breaks off. It may begin before an upstream was found.
 *
 * @module
 */

import { after } from "./coarse_timer.ts";
import type { Timing } from "../config/config.ts";
import {
  type Answer,
  type Exchange,
  type Seen,
  type Tokens,
  UpstreamFailure,
} from "../exchange.ts";
import { type Bytes, type ByteSource, isWhole } from "../bytes.ts";
import { withoutUsageChunk } from "../attempt/hidden_usage.ts";
import { scrubErrors } from "./scrub_bytes.ts";
import { createSeenText, type SeenText } from "./seen_text.ts";
import { brokenText, errorEndText, finishText, heartbeatText, isComplete } from "./stream_end.ts";
import { createStreamWatch, type StreamWatch } from "./stream_watch.ts";
import { fault } from "../translate/fault.ts";

export type RelayEnd = "complete" | "broken" | "failed" | "cancelled";

export interface RelayReport {
  readonly end: RelayEnd;
  readonly bytes: number;
  /** What the provider said of it last; null: nothing. */
  readonly tokens: Tokens | null;
  readonly seen: Seen;
}

export interface RelayParts {
  readonly dice: { nowMs(): number };
  readonly secrets: { scrub(text: string): string };
  readonly endings: Set<() => void>;
}

/** An answer that is looked for while its stream may have begun. */
export interface Awaited {
  readonly answer: Promise<Answer>;
  /**
   * The client has waited in vain: it gets a sign of life before anything else. Its patience began
   * with its request, and headers alone do not renew it.
   */
  readonly late: boolean;
}

/** One stream on its way to the client. */
interface Relay {
  readonly exchange: Exchange;
  readonly timing: Pick<Timing, "heartbeatMs" | "idleMs">;
  readonly parts: RelayParts;
  readonly onEnd: (report: RelayReport) => void;
  readonly controller: ReadableStreamDefaultController<Bytes>;
  readonly watch: StreamWatch;
  readonly said: SeenText;
  /** null: no upstream has begun. */
  source: ByteSource | null;
  own: Answer["own"];
  /** When the client heard of us last. */
  aliveMs: number;
  upstreamMs: number;
  over: boolean;
  stopBeating: () => void;
  /** What the end of the program calls. */
  endNow: () => void;
}

const encoder = new TextEncoder();

/** @param onEnd called once, whatever happens */
export function relay(
  exchange: Exchange,
  { answer, late }: Awaited,
  timing: Pick<Timing, "heartbeatMs" | "idleMs">,
  parts: RelayParts,
  onEnd: (report: RelayReport) => void,
): ReadableStream<Bytes> {
  let relay: Relay;
  return new ReadableStream<Bytes>({
    start(controller) {
      const nowMs = parts.dice.nowMs();
      relay = {
        exchange,
        timing,
        parts,
        onEnd,
        controller,
        watch: createStreamWatch(exchange.stream && exchange.api !== "ollama"),
        said: createSeenText(exchange.api),
        source: null,
        own: null,
        aliveMs: nowMs - (late ? timing.heartbeatMs : 0),
        upstreamMs: nowMs,
        over: false,
        stopBeating() {},
        endNow() {
          relay.source?.cancel();
          breakOff(relay, "the proxy is stopping");
        },
      };
      keepBeating(relay);
      parts.endings.add(relay.endNow);
      if (late) beat(relay);
    },
    pull: () => passOn(relay, answer),
    cancel() {
      relay.source?.cancel();
      finish(relay, "cancelled");
    },
  }, { highWaterMark: 1 });
}

/** The next bytes for the client, or the end. */
async function passOn(relay: Relay, answer: Promise<Answer>): Promise<void> {
  try {
    const source = relay.source ?? await begin(relay, answer);
    while (source !== null) {
      const bytes = await source.read();
      if (relay.over) return;
      if (bytes === null) return atEnd(relay);
      relay.aliveMs = relay.upstreamMs = relay.parts.dice.nowMs();
      const ready = relay.watch.push(bytes);
      const shown = relay.exchange.stream && ready.length > 0 ? forClient(relay, ready) : ready;
      if (shown.length === 0) continue;
      relay.controller.enqueue(shown);
      return;
    }
  } catch (error) {
    failed(relay, error);
  }
}

/** @returns null: it was over before. */
async function begin(relay: Relay, answer: Promise<Answer>): Promise<ByteSource | null> {
  const { body, own } = await answer;
  const source = isWhole(body) ? sourceOfBytes(body) : body;
  if (relay.over) {
    source.cancel();
    return null;
  }
  relay.own = own;
  relay.source = source;
  relay.upstreamMs = relay.parts.dice.nowMs();
  return source;
}

function forClient({ own, said, exchange, parts: { secrets } }: Relay, events: Bytes): Bytes {
  if (own !== null) return scrubErrors(events, secrets.scrub);
  const before = said.usages();
  said.push(events);
  const isHidden = exchange.asksUsage && said.usages() > before;
  return scrubErrors(isHidden ? withoutUsageChunk(events) : events, secrets.scrub);
}

function keepBeating(relay: Relay): void {
  relay.stopBeating = after(relay.timing.heartbeatMs / 4, () => {
    beat(relay);
    if (!relay.over) keepBeating(relay);
  });
}

function beat(relay: Relay): void {
  const { exchange, timing, source, controller } = relay;
  const nowMs = relay.parts.dice.nowMs();
  if (source !== null && nowMs - relay.upstreamMs >= timing.idleMs) {
    source.cancel();
    return breakOff(relay, "the provider fell silent in the middle of its answer");
  }
  if (!exchange.stream || nowMs - relay.aliveMs < timing.heartbeatMs) return;
  if ((controller.desiredSize ?? 0) < 0) return; // it does not read; nothing must pile up
  relay.aliveMs = nowMs;
  controller.enqueue(encoder.encode(heartbeatText(exchange, relay.watch.head())));
}

/** The upstream has said all. */
function atEnd(relay: Relay): void {
  const { exchange, own, watch } = relay;
  if (own !== null) return endWith(relay, own.isBroken() ? "broken" : "complete", "");
  if (!exchange.stream) return endWith(relay, "complete", "");
  const tail = watch.tail();
  if (!isComplete(exchange, tail)) {
    return breakOff(relay, "the provider broke off in the middle of its answer");
  }
  const rest = watch.rest();
  const parted = rest.length === 0 ? "" : new TextDecoder().decode(forClient(relay, rest)) + "\n\n";
  endWith(relay, "complete", parted + finishText(exchange, tail));
}

function failed(relay: Relay, error: unknown): void {
  if (relay.over) return;
  relay.source?.cancel();
  if (!(error instanceof UpstreamFailure)) {
    return breakOff(relay, "the connection to the provider broke");
  }
  // All that the client has seen is that we live.
  if (relay.source === null) {
    return endWith(relay, "failed", errorEndText(relay.exchange, error.fault));
  }
  breakOff(relay, error.fault.message);
}

/** Ends an answer that is not whole, and says so where its API has words for it. */
function breakOff(relay: Relay, why: string): void {
  const { exchange, watch } = relay;
  if (exchange.stream) {
    const text = brokenText(exchange, fault("overloaded", why), watch.head(), watch.tail());
    return endWith(relay, "broken", text);
  }
  if (!relay.over) relay.controller.error(new Error(why));
  finish(relay, "broken");
}

/** Ends the client's stream in its API's words. */
function endWith(relay: Relay, end: RelayEnd, text: string): void {
  if (relay.over) return;
  if (text !== "") relay.controller.enqueue(encoder.encode(text));
  relay.controller.close();
  finish(relay, end);
}

function finish(relay: Relay, end: RelayEnd): void {
  if (relay.over) return;
  relay.over = true;
  relay.stopBeating();
  relay.parts.endings.delete(relay.endNow);
  const { own, said, watch } = relay;
  const tokens = own === null ? watch.tokens() : own.tokens();
  const seen = own === null
    ? { tokens: said.tokens(), thoughtTokens: said.thoughtTokens() }
    : own.seen();
  relay.onEnd({ end, bytes: watch.bytes(), tokens, seen });
}

function sourceOfBytes(bytes: Bytes): ByteSource {
  let left: Bytes | null = bytes;
  return {
    read() {
      const ready = left;
      left = null;
      return Promise.resolve(ready);
    },
    cancel() {},
  };
}

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
import { createSeenText } from "./seen_text.ts";
import { brokenText, errorEndText, finishText, heartbeatText, isComplete } from "./stream_end.ts";
import { createStreamWatch } from "./stream_watch.ts";
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

/**
 * @param onEnd called once, whatever happens
 * @param late the client has waited in vain: it gets a sign of life before anything else. Its
 * patience began with its request, and headers alone do not renew it.
 */
export function relay(
  exchange: Exchange,
  answer: Promise<Answer>,
  timing: Pick<Timing, "heartbeatMs" | "idleMs">,
  { dice: clock, endings, secrets: { scrub } }: RelayParts,
  onEnd: (report: RelayReport) => void,
  late = false,
): ReadableStream<Bytes> {
  const encoder = new TextEncoder();
  const watch = createStreamWatch(exchange.stream && exchange.api !== "ollama");
  let source: ByteSource | null = null;
  let own: Answer["own"] = null;
  let aliveMs = clock.nowMs() - (late ? timing.heartbeatMs : 0);
  let upstreamMs = clock.nowMs();
  let stopBeating = (): void => {};
  let endNow = (): void => {};
  let over = false;

  const said = createSeenText(exchange.api);
  const seenText = (): Seen => ({ tokens: said.tokens(), thoughtTokens: said.thoughtTokens() });
  const forClient = (events: Bytes): Bytes => {
    if (own !== null) return scrubErrors(events, scrub);
    const before = said.usages();
    said.push(events);
    const isHidden = exchange.asksUsage && said.usages() > before;
    return scrubErrors(isHidden ? withoutUsageChunk(events) : events, scrub);
  };
  const finish = (end: RelayEnd): void => {
    if (over) return;
    over = true;
    stopBeating();
    endings.delete(endNow);
    const tokens = own === null ? watch.tokens() : own.tokens();
    onEnd({ end, bytes: watch.bytes(), tokens, seen: own === null ? seenText() : own.seen() });
  };
  /** Ends the client's stream in its API's words. */
  const endWith = (
    controller: ReadableStreamDefaultController<Bytes>,
    end: RelayEnd,
    text: string,
  ): void => {
    if (over) return;
    if (text !== "") controller.enqueue(encoder.encode(text));
    controller.close();
    finish(end);
  };
  const broken = (controller: ReadableStreamDefaultController<Bytes>, why: string): void => {
    if (!exchange.stream) {
      if (!over) controller.error(new Error(why));
      return finish("broken");
    }
    endWith(
      controller,
      "broken",
      brokenText(exchange, fault("overloaded", why), watch.head(), watch.tail()),
    );
  };
  const beat = (controller: ReadableStreamDefaultController<Bytes>): void => {
    const now = clock.nowMs();
    if (source !== null && now - upstreamMs >= timing.idleMs) {
      source.cancel();
      return broken(controller, "the provider fell silent in the middle of its answer");
    }
    if (!exchange.stream || now - aliveMs < timing.heartbeatMs) return;
    if ((controller.desiredSize ?? 0) < 0) return; // it does not read; nothing must pile up
    aliveMs = now;
    controller.enqueue(encoder.encode(heartbeatText(exchange, watch.head())));
  };
  const atEnd = (controller: ReadableStreamDefaultController<Bytes>): void => {
    if (own !== null) return endWith(controller, own.isBroken() ? "broken" : "complete", "");
    if (!exchange.stream) return endWith(controller, "complete", "");
    const tail = watch.tail();
    if (!isComplete(exchange, tail)) {
      return broken(controller, "the provider broke off in the middle of its answer");
    }
    const rest = watch.rest();
    const parted = rest.length === 0 ? "" : new TextDecoder().decode(forClient(rest)) + "\n\n";
    endWith(controller, "complete", parted + finishText(exchange, tail));
  };
  return new ReadableStream<Bytes>({
    start(controller) {
      const everyMs = timing.heartbeatMs / 4;
      const again = (): void => {
        beat(controller);
        if (!over) stopBeating = after(everyMs, again);
      };
      stopBeating = after(everyMs, again);
      endNow = () => {
        source?.cancel();
        broken(controller, "the proxy is stopping");
      };
      endings.add(endNow);
      if (late) beat(controller);
    },
    async pull(controller) {
      try {
        if (source === null) {
          const got = await answer;
          const found = isWhole(got.body) ? sourceOfBytes(got.body) : got.body;
          if (over) return found.cancel();
          ({ own } = got);
          source = found;
          upstreamMs = clock.nowMs();
        }
        for (;;) {
          const bytes = await source.read();
          if (over) return;
          if (bytes === null) return atEnd(controller);
          aliveMs = upstreamMs = clock.nowMs();
          const ready = watch.push(bytes);
          const shown = exchange.stream && ready.length > 0 ? forClient(ready) : ready;
          if (shown.length === 0) continue;
          controller.enqueue(shown);
          return;
        }
      } catch (error) {
        if (over) return;
        source?.cancel();
        if (!(error instanceof UpstreamFailure)) {
          return broken(controller, "the connection to the provider broke");
        }
        // All that the client has seen is that we live.
        if (source === null) {
          return endWith(controller, "failed", errorEndText(exchange, error.fault));
        }
        broken(controller, error.fault.message);
      }
    },
    cancel() {
      source?.cancel();
      finish("cancelled");
    },
  }, { highWaterMark: 1 });
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

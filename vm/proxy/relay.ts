// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The stream that the client reads: the upstream's, byte for byte, with a sign of life while it
 * is silent and a proper end when it breaks off. It may begin before an upstream was found.
 *
 * @module
 */

import type { Timing } from "./config.ts";
import { type Answer, type Exchange, type Tokens, UpstreamFailure } from "./exchange.ts";
import { brokenText, errorEndText, finishText, heartbeatText, isComplete } from "./stream_end.ts";
import { createStreamWatch, tokensIn } from "./stream_watch.ts";
import { fault } from "./translate/fault.ts";

export type RelayEnd = "complete" | "broken" | "failed" | "cancelled";

export interface RelayReport {
  readonly end: RelayEnd;
  readonly bytes: number;
  /** null: nobody said; the caller has to guess by the bytes. */
  readonly tokens: Tokens | null;
}

export interface RelayClock {
  nowMs(): number;
}

type Bytes = Uint8Array<ArrayBuffer>;

/**
 * @param onEnd called once, whatever happens
 * @param late the client has waited in vain: it gets a sign of life before anything else. Its
 * patience began with its request, and headers alone do not renew it.
 */
export function relay(
  exchange: Exchange,
  answer: Promise<Answer>,
  timing: Pick<Timing, "heartbeatMs" | "idleMs">,
  clock: RelayClock,
  onEnd: (report: RelayReport) => void,
  late = false,
): ReadableStream<Bytes> {
  const encoder = new TextEncoder();
  const watch = createStreamWatch(exchange.stream);
  let reader: ReadableStreamDefaultReader<Bytes> | null = null;
  let own: Answer["own"] = null;
  let aliveMs = clock.nowMs() - (late ? timing.heartbeatMs : 0);
  let upstreamMs = clock.nowMs();
  let timer: ReturnType<typeof setInterval> | undefined;
  let over = false;

  const finish = (end: RelayEnd): void => {
    if (over) return;
    over = true;
    clearInterval(timer);
    const counted = own === null ? tokensIn(watch.head(), watch.tail()) : own.tokens();
    onEnd({ end, bytes: watch.bytes(), tokens: counted });
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
    if (reader !== null && now - upstreamMs >= timing.idleMs) {
      reader.cancel().catch(() => {});
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
    const parted = rest.length === 0 ? "" : new TextDecoder().decode(rest) + "\n\n";
    endWith(controller, "complete", parted + finishText(exchange, tail));
  };
  return new ReadableStream<Bytes>({
    start(controller) {
      timer = setInterval(() => beat(controller), Math.max(10, timing.heartbeatMs / 4));
      if (late) beat(controller);
    },
    async pull(controller) {
      try {
        if (reader === null) {
          const got = await answer;
          if (over) return void got.body.cancel().catch(() => {});
          ({ own } = got);
          reader = got.body.getReader();
          upstreamMs = clock.nowMs();
        }
        for (;;) {
          const { value, done } = await reader.read();
          if (over) return;
          if (done) return atEnd(controller);
          aliveMs = upstreamMs = clock.nowMs();
          const ready = watch.push(value);
          if (ready.length === 0) continue;
          controller.enqueue(ready);
          return;
        }
      } catch (error) {
        if (over) return;
        if (!(error instanceof UpstreamFailure)) {
          return broken(controller, "the connection to the provider broke");
        }
        // All that the client has seen is that we live.
        if (reader === null) {
          return endWith(controller, "failed", errorEndText(exchange, error.fault));
        }
        broken(controller, error.fault.message);
      }
    },
    cancel(reason) {
      reader?.cancel(reason).catch(() => {});
      finish("cancelled");
    },
  }, { highWaterMark: 0 });
}

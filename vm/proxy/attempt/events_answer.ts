// SPDX-License-Identifier: GPL-2.0-or-later
/** Neutral events as the client's answer: a stream, or one body when all of them are there. @module */

import type { Asked, ClientFormat } from "./client_format.ts";
import {
  type Answer,
  type Exchange,
  NO_SEEN,
  type Seen,
  type Tokens,
  UpstreamFailure,
} from "../exchange.ts";
import type { ByteSource } from "../bytes.ts";
import { streamType } from "../stream/stream_end.ts";
import { CALL_TOKENS, createTokenCounter } from "../books/token_count.ts";
import { createCollector } from "../translate/collect.ts";
import type { StreamEvent, Usage } from "../translate/completion.ts";
import { type Fault, fault, mayRetry, shownToClient } from "../translate/fault.ts";

/** Events that an upstream sends before it is known to work. */
const EARLY: ReadonlySet<StreamEvent["kind"]> = new Set(["start", "usage", "heartbeat"]);

export interface EventSource {
  /** The next events; null when there are no more. Ends with "end" or "error". */
  next(): Promise<readonly StreamEvent[] | null>;
  cancel(): void;
}

/** @throws {UpstreamFailure} if an error comes before the first content */
export async function eventsAnswer(
  exchange: Exchange,
  format: ClientFormat,
  asked: Asked,
  source: EventSource,
): Promise<Answer> {
  return exchange.stream
    ? await streamed(exchange, format, asked, source)
    : await whole(exchange, format, asked, source);
}

async function whole(
  exchange: Exchange,
  format: ClientFormat,
  asked: Asked,
  source: EventSource,
): Promise<Answer> {
  const collector = createCollector();
  for (let events; (events = await source.next()) !== null;) {
    for (const event of events) {
      collector.push(event);
    }
  }
  const { completion, fault: found } = collector.result();
  if (completion === undefined) throw failure(found);
  return {
    contentType: "application/json",
    body: new TextEncoder().encode(JSON.stringify(format.writeBody(completion, exchange, asked))),
    own: { tokens: () => tokensOf(completion.usage), seen: () => NO_SEEN, isBroken: () => false },
  };
}

/** What the events say, by their letters. */
function createSeenEvents(): {
  readonly count: (event: StreamEvent) => void;
  readonly seen: () => Seen;
} {
  const [said, thought] = [createTokenCounter(), createTokenCounter()];
  let calls = 0;
  return {
    count(event) {
      if (event.kind === "text") said.add(event.text);
      else if (event.kind === "arguments") said.add(event.fragment);
      else if (event.kind === "thinking") thought.add(event.text);
      else if (event.kind === "tool") calls++;
    },
    seen() {
      const thoughtTokens = Math.ceil(thought.tokens());
      const tokens = Math.ceil(said.tokens()) + calls * CALL_TOKENS + thoughtTokens;
      return { tokens, thoughtTokens };
    },
  };
}

async function streamed(
  exchange: Exchange,
  format: ClientFormat,
  asked: Asked,
  source: EventSource,
): Promise<Answer> {
  const writer = format.createWriter(exchange, asked);
  const encoder = new TextEncoder();
  let usage: Usage | null = null;
  let broken = false;
  const { count, seen } = createSeenEvents();
  const write = (event: StreamEvent): string => {
    if (event.kind === "usage") usage = event.usage;
    count(event);
    if (event.kind !== "error") return writer.write(event);
    broken = true;
    if (exchange.broken === "error") {
      return writer.write({ ...event, fault: shownToClient(event.fault, exchange.model) });
    }
    return writer.write({ kind: "stop", reason: "max_tokens" }) + writer.write({ kind: "end" });
  };
  let early = "";
  for (let begun = false; !begun;) {
    const events = await source.next();
    if (events === null) break;
    for (const event of events) {
      if (event.kind === "error" && !begun) {
        source.cancel();
        throw failure(event.fault);
      }
      begun ||= !EARLY.has(event.kind);
      early += write(event);
    }
  }
  const body: ByteSource = {
    async read() {
      let text = early;
      early = "";
      while (text === "") {
        const events = await source.next();
        if (events === null) return null;
        for (const event of events) text += write(event);
      }
      return encoder.encode(text);
    },
    cancel: () => source.cancel(),
  };
  const tokens = (): Tokens | null => usage === null ? null : tokensOf(usage);
  return { contentType: streamType(exchange), body, own: { tokens, seen, isBroken: () => broken } };
}

function failure(found: Fault): UpstreamFailure {
  return new UpstreamFailure(found, { counts: mayRetry(found) && found.kind !== "rate_limit" });
}

function tokensOf(usage: Usage): Tokens {
  return {
    input: usage.inputTokens,
    output: usage.outputTokens,
    cacheRead: usage.cachedTokens,
    cacheWrite: usage.cacheWriteTokens,
    cacheWriteHour: 0,
    reasoning: usage.reasoningTokens,
  };
}

/** For an API without a translation. */
export function notServed(exchange: Exchange, providerName: string): UpstreamFailure {
  return new UpstreamFailure(
    fault("not_found", `provider ${providerName} does not serve ${exchange.api.replace("_", " ")}`),
  );
}

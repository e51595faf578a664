// SPDX-License-Identifier: GPL-2.0-or-later
/** One API request, from the client's key to the last byte and the books. @module */

import { nativeApi } from "../attempt/upstream_call.ts";
import { admit, type AdmitParts, type Admitted } from "./admit.ts";
import { after } from "../stream/coarse_timer.ts";
import type { Config, Target, Timing } from "../config/config.ts";
import {
  type Answer,
  type Api,
  type Exchange,
  NO_SEEN,
  type Seen,
  UpstreamFailure,
} from "../exchange.ts";
import { isWhole } from "../bytes.ts";
import type { RequestBody } from "./request_body.ts";
import { askingForUsage } from "../attempt/hidden_usage.ts";
import { type Awaited, relay } from "../stream/relay.ts";
import { faultReply, idHeaders } from "./reply.ts";
import { bookOutcome, type BookParts, bookRefusal, type Outcome } from "../books/request_books.ts";
import type { Asked } from "../exchange.ts";
import { type Started, type TryParts, tryTargets } from "../route/try_targets.ts";
import { streamType } from "../stream/stream_end.ts";
import { tokensInBody } from "../stream/stream_watch.ts";
import { countTokens } from "../books/token_count.ts";

export interface ServeParts extends TryParts, AdmitParts, Pick<BookParts, "calibration"> {
  /** Each ends one request that is under way, at once and in its API's words. */
  readonly endings: Set<() => void>;
}

/**
 * The way of a request: admit() says who asks, reads the body, chooses the route and keeps to the
 * limits; tryTargets() attempts one target after the other; answer() passes on what came; and
 * whatever happens, close() books it.
 */
export async function serveRequest(
  request: Request,
  asked: Asked,
  config: Config,
  parts: ServeParts,
): Promise<Response> {
  const to = { requestId: asked.requestId, api: asked.api, anthropic: false };
  const clientGone = request.signal; // it leaves before its answer has begun
  const admitted = await admit(request, asked, config, parts);
  if ("refusal" in admitted) {
    bookRefusal(asked, admitted, parts);
    return faultReply(admitted.refusal, to, admitted.retryAfterMs);
  }
  const gone = new AbortController();
  const leave = (): void => gone.abort();
  clientGone.addEventListener("abort", leave, { once: true });
  if (clientGone.aborted) leave();
  parts.endings.add(leave);
  let asking: Target | null = null;
  const close = (outcome: Outcome): void => {
    clientGone.removeEventListener("abort", leave);
    parts.endings.delete(leave);
    admitted.body.drop();
    bookOutcome(asked, admitted, outcome, config, parts);
  };
  try {
    const exchange = exchangeOf(request, asked, admitted, config, gone.signal);
    const run = tryTargets(exchange, admitted.route, config, parts, (target) => asking = target)
      .finally(() => admitted.body.drop()); // nobody else will be asked
    const running = { run, asking: () => asking, leave, close };
    return await answer(exchange, running, config.timing, parts);
  } catch (error) {
    const failed = error instanceof UpstreamFailure;
    const left = failed && error.about.gone === true;
    close({
      ...NOTHING_YET,
      // Whoever was at work has read the prompt, and charges for it.
      target: left ? asking : null,
      end: left ? "cancelled" : "failed",
      status: failed ? error.fault.status : 500,
    });
    if (!failed) throw error;
    return faultReply(error.fault, to, error.about.retryAfterMs ?? null);
  }
}

const NOTHING_YET = { bytes: 0, tokens: null, seen: NO_SEEN, isWhole: false, changes: [] };

interface Running {
  readonly run: Promise<Started>;
  /** Who was asked last. */
  readonly asking: () => Target | null;
  /** Ends the upstream's work. */
  readonly leave: () => void;
  /** Called once, unless answer() throws. */
  readonly close: (outcome: Outcome) => void;
}

async function answer(
  exchange: Exchange,
  { run: running, asking, leave, close }: Running,
  timing: Timing,
  parts: ServeParts,
): Promise<Response> {
  let target: Target | null = null;
  let changes: readonly string[] = [];
  const run = running.then((started) => {
    target = started.target;
    changes = started.answer.changes ?? [];
    return started.answer;
  });
  const headers = (contentType: string) => answerHeaders(contentType, exchange.requestId);
  if (!exchange.stream) {
    const { body, contentType, own } = await run;
    if (isWhole(body)) {
      const tokens = own === null ? tokensInBody(body) : own.tokens();
      const seen = tokens === null ? seenInBody(exchange, body) : NO_SEEN;
      const what = { bytes: body.length, tokens, seen, changes };
      close({ target, end: "complete", isWhole: true, status: 200, ...what });
      return new Response(body, { headers: headers(contentType) });
    }
  }
  const { contentType, ...awaited } = await answerOrHeartbeat(run, exchange, timing);
  const stream = relay(exchange, awaited, timing, parts, ({ end, ...what }) => {
    if (end === "cancelled") {
      target ??= asking();
      leave();
    }
    close({ target, end, isWhole: end === "complete", status: 200, ...what, changes });
  });
  return new Response(stream, { headers: headers(contentType) });
}

/** For an answer without a count: all of its letters, which is a little too much. */
function seenInBody({ api }: Exchange, body: Uint8Array): Seen {
  if (api === "embeddings" || api === "count_tokens") return NO_SEEN;
  return { tokens: countTokens(new TextDecoder().decode(body)), thoughtTokens: 0 };
}

/** After a while a stream begins even if no upstream has; nothing else does. */
async function answerOrHeartbeat(
  run: Promise<Answer>,
  exchange: Exchange,
  { heartbeatMs }: Timing,
): Promise<Awaited & { readonly contentType: string }> {
  if (!exchange.stream) return { answer: run, contentType: (await run).contentType, late: false };
  let forget = (): void => {};
  const waited = new Promise<null>((resolve) => {
    forget = after(heartbeatMs, () => resolve(null));
  });
  const first = await Promise.race([run, waited]).finally(forget);
  if (first !== null) return { answer: run, contentType: first.contentType, late: false };
  run.catch(() => {}); // the stream tells it
  return { answer: run, contentType: streamType(exchange), late: true };
}

function answerHeaders(contentType: string, requestId: string): Record<string, string> {
  const type = contentType === "" ? "application/json" : contentType;
  if (!/event-stream|ndjson/.test(type)) return { ...idHeaders(requestId), "content-type": type };
  // "no-transform": Deno would pack the stream, and wait for more before it sends.
  const cache = "no-cache, no-transform";
  return { ...idHeaders(requestId), "content-type": type, "cache-control": cache };
}

function exchangeOf(
  request: Request,
  { api, requestId, trace, beganMs }: Asked,
  { body, route, caller, counted }: Admitted,
  { brokenStream }: Config,
  gone: AbortSignal,
): Exchange {
  const isAgent = trace !== undefined;
  const broken = brokenStream === "auto" ? (isAgent ? "length" : "error") : brokenStream;
  return {
    api,
    requestId,
    body,
    model: body.model,
    untrustedHeaders: request.headers,
    broken,
    isAgent,
    gone,
    client: caller.account,
    asksUsage: counted && body.stream && api === "chat" &&
      askingForUsage(body.untrustedBody) !== null,
    written: route.flat().every(({ provider }) => nativeApi({ api }, provider) === null),
    stream: isStream(api, body),
    createdS: Math.floor(beganMs / 1000),
  };
}

/** Ollama streams unless it is told not to. */
function isStream(api: Api, { stream, untrustedBody }: RequestBody): boolean {
  if (api === "ollama") return (untrustedBody["stream"] ?? true) === true;
  return stream && (api === "chat" || api === "messages" || api === "responses");
}

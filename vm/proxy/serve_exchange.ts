// SPDX-License-Identifier: GPL-2.0-or-later
/** One API request, from the client's key to the last byte and the books. @module */

import type { VmName } from "../../shared/protocol/vm_name.ts";
import { nativeApi } from "./adapter.ts";
import { admit, type AdmitParts, type Admitted } from "./admit.ts";
import { after } from "./coarse_timer.ts";
import type { Config, Target, Timing } from "./config.ts";
import {
  type Answer,
  type Api,
  type Exchange,
  isWhole,
  NO_TOKENS,
  UpstreamFailure,
} from "./exchange.ts";
import { traceparentOf } from "./log.ts";
import type { RequestBody } from "./request_body.ts";
import { relay } from "./relay.ts";
import { faultReply, idHeaders } from "./reply.ts";
import { type Asked, bookOutcome, bookRefusal, type Outcome } from "./request_books.ts";
import { runExchange, type RunParts } from "./run_exchange.ts";
import { streamType } from "./stream_end.ts";
import { tokensInBody } from "./stream_watch.ts";

export interface ServeParts extends RunParts, AdmitParts {
  /** What ends each of the requests under way at once, in its API's words. */
  readonly endings: Set<() => void>;
}

/**
 * @param clientGone fires when the client leaves before its answer has begun
 * @param vm which VM asks, as qrexec says; null: a program of this one
 */
export async function serveExchange(
  request: Request,
  api: Api,
  requestId: string,
  config: Config,
  parts: ServeParts,
  clientGone: AbortSignal,
  vm: VmName | null,
): Promise<Response> {
  const to = { requestId, api, anthropic: false };
  const trace = traceparentOf(request.headers);
  const asked: Asked = { api, requestId, trace, vm, beganMs: parts.dice.nowMs() };
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
  const close = (outcome: Outcome): void => {
    clientGone.removeEventListener("abort", leave);
    parts.endings.delete(leave);
    admitted.body.drop();
    bookOutcome(asked, admitted, outcome, config, parts);
  };
  try {
    const exchange = exchangeOf(request, asked, admitted, config, gone.signal);
    return await answer(exchange, admitted, config, parts, leave, close);
  } catch (error) {
    const failed = error instanceof UpstreamFailure;
    close({
      ...{ target: null, bytes: 0, tokens: NO_TOKENS, changes: [] },
      end: failed && error.about.gone ? "cancelled" : "failed",
      status: failed ? error.fault.status : 500,
    });
    if (!failed) throw error;
    return faultReply(error.fault, to, error.about.retryAfterMs ?? null);
  }
}

/**
 * @param leave ends the upstream's work
 * @param close called once, unless it throws
 */
async function answer(
  exchange: Exchange,
  { route }: Admitted,
  config: Config,
  parts: ServeParts,
  leave: () => void,
  close: (outcome: Outcome) => void,
): Promise<Response> {
  let target: Target | null = null;
  let changes: readonly string[] = [];
  const run = runExchange(exchange, route, config, parts).then((started) => {
    target = started.target;
    changes = started.answer.changes ?? [];
    exchange.body.drop(); // nobody else will be asked
    return started.answer;
  });
  const headers = (contentType: string) => answerHeaders(contentType, exchange.requestId);
  if (!exchange.stream) {
    const { body, contentType, own } = await run;
    if (isWhole(body)) {
      const tokens = own === null ? tokensInBody(body) : own.tokens();
      close({ target, end: "complete", status: 200, bytes: body.length, tokens, changes });
      return new Response(body, { headers: headers(contentType) });
    }
  }
  const { whole, contentType, late } = await answerOrHeartbeat(run, exchange, config.timing);
  const stream = relay(exchange, whole, config.timing, parts, ({ end, bytes, tokens }) => {
    if (end === "cancelled") leave();
    close({ target, end, status: 200, bytes, tokens, changes });
  }, late);
  return new Response(stream, { headers: headers(contentType) });
}

/** A stream begins after a while whether an upstream has or not; nothing else does. */
async function answerOrHeartbeat(
  run: Promise<Answer>,
  exchange: Exchange,
  { heartbeatMs }: Timing,
): Promise<
  { readonly whole: Promise<Answer>; readonly contentType: string; readonly late: boolean }
> {
  if (!exchange.stream) return { whole: run, contentType: (await run).contentType, late: false };
  let forget = (): void => {};
  const waited = new Promise<null>((resolve) => {
    forget = after(heartbeatMs, () => resolve(null));
  });
  const first = await Promise.race([run, waited]).finally(forget);
  if (first !== null) return { whole: run, contentType: first.contentType, late: false };
  run.catch(() => {}); // the stream tells it
  return { whole: run, contentType: streamType(exchange), late: true };
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
  { body, route, caller }: Admitted,
  { brokenStream }: Config,
  gone: AbortSignal,
): Exchange {
  const isAgent = trace !== undefined;
  const broken = brokenStream === "auto" ? (isAgent ? "length" : "error") : brokenStream;
  return {
    ...{ api, requestId, body, model: body.model, untrustedHeaders: request.headers },
    ...{ broken, isAgent, gone, client: caller.account },
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

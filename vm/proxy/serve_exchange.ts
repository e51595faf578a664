// SPDX-License-Identifier: GPL-2.0-or-later
/** One API request, from the client's key to the last byte and the books. @module */

import type { VmName } from "../../shared/protocol/vm_name.ts";
import { type Caller, identify } from "./access.ts";
import { guessedTokens } from "./attempt.ts";
import { type Config, type Route, type Target, targetName } from "./config.ts";
import { type Answer, type Api, type Exchange, type Tokens, UpstreamFailure } from "./exchange.ts";
import type { Limiter, Usage } from "./limits.ts";
import { traceparentOf } from "./log.ts";
import { resolveModel } from "./models.ts";
import { affordable, estimate, usageOf } from "./prices.ts";
import { readRequest, type RequestBody } from "./read_request.ts";
import { relay, type RelayReport } from "./relay.ts";
import { faultReply, idHeaders, type ReplyTo } from "./reply.ts";
import { runExchange, type RunParts, type Started } from "./run_exchange.ts";
import { type Fault, fault } from "./translate/fault.ts";

export interface ServeParts extends RunParts {
  readonly limiter: Limiter;
}

/** An answer that nobody limited is expected to be as long as this. */
const EXPECTED_OUTPUT_TOKENS = 1000;

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
  const to: ReplyTo = { requestId, api, anthropic: false };
  const beganMs = parts.dice.nowMs();
  const trace = traceparentOf(request.headers);
  const refuse = (found: Fault, retryAfterMs: number | null, by?: Caller): Response => {
    const status = String(found.status);
    parts.metrics.count("openclaw_proxy_requests_total", { api, status });
    if (by !== undefined) {
      parts.metrics.count("openclaw_proxy_client_requests_total", { ...clientLabels(by), status });
    }
    parts.log("info", "refused", {
      ...{ request: requestId, traceparent: trace, api, client: by?.name, ...fromVm(vm) },
      status: found.status,
      reason: parts.secrets.scrub(found.message),
    });
    return faultReply(found, to, retryAfterMs);
  };
  const caller = await identify(request.headers, vm, config, async ({ key }) => {
    return key === null ? null : await parts.secrets.get(key).catch(() => null);
  });
  if ("status" in caller) {
    request.body?.cancel().catch(() => {});
    return refuse(caller, null);
  }
  const body = await readRequest(request);
  if ("status" in body) return refuse(body, null, caller);
  const all = resolveModel(body.model, config);
  if (all === null) return refuse(unknownModel(body.model, config), null, caller);
  const route = affordable(all, caller.limits, config);
  if (route.length === 0) return refuse(noPrice(all), null, caller);

  const expected = expectedTokens(body);
  const estimated: Usage = api === "count_tokens"
    ? { tokens: 0, spend: 0 }
    : estimate(expected, route, config);
  const admission = parts.limiter.admit(caller.account, caller.limits, estimated);
  if (!admission.admitted) {
    const { message, retryAfterMs } = admission.refusal;
    // A cap lasts: 429 or 402 would make OpenClaw wait for it, 400 makes it use another model.
    const kind = retryAfterMs === null ? "invalid_request" : "rate_limit";
    return refuse({ ...fault(kind, message), code: "proxy_limit" }, retryAfterMs, caller);
  }

  const gone = new AbortController();
  const leave = (): void => gone.abort();
  clientGone.addEventListener("abort", leave, { once: true });
  if (clientGone.aborted) leave();
  const exchange = exchangeOf(request, api, requestId, body, config, gone.signal, parts);
  let target: Target | null = null;
  const close = (end: string, bytes: number, tokens: Tokens | null, status: number): void => {
    clientGone.removeEventListener("abort", leave);
    const counted = tokens ?? guessed(bytes, body, api);
    const used = target === null ? { tokens: 0, spend: 0 } : usageOf(counted, target, config);
    admission.done(api === "count_tokens" ? { tokens: 0, spend: 0 } : used);
    account(parts, caller, api, target, end, status, counted, used);
    parts.log("info", "request", {
      ...{ request: requestId, traceparent: trace, api, client: caller.name },
      ...{ ...fromVm(vm), end, status },
      ...{ target: target === null ? null : targetName(target), stream: body.stream },
      ...{ input: counted.input, output: counted.output, estimated: tokens === null, bytes },
      ms: Math.round(parts.dice.nowMs() - beganMs),
    });
  };
  const onEnd = ({ end, bytes, tokens }: RelayReport): void => {
    if (end === "cancelled") gone.abort();
    close(end, bytes, tokens, 200);
  };
  const run = runExchange(exchange, route, config, parts).then((started: Started) => {
    target = started.target;
    return started.answer;
  });
  try {
    const answer = await answerOrHeartbeat(run, exchange, config, parts);
    const stream = relay(exchange, answer.whole, config.timing, parts.dice, onEnd);
    return new Response(stream, { headers: streamHeaders(answer.contentType, requestId) });
  } catch (error) {
    const failed = error instanceof UpstreamFailure;
    close(
      failed && error.about.gone ? "cancelled" : "failed",
      0,
      NO_TOKENS,
      failed ? error.fault.status : 500,
    );
    if (!failed) throw error;
    return faultReply(error.fault, to, error.about.retryAfterMs ?? null);
  }
}

const NO_TOKENS: Tokens = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 };

/** A stream begins after a while whether an upstream has or not; nothing else does. */
async function answerOrHeartbeat(
  run: Promise<Answer>,
  exchange: Exchange,
  config: Config,
  parts: ServeParts,
): Promise<{ readonly whole: Promise<Answer>; readonly contentType: string }> {
  const late = new AbortController();
  const waited = exchange.stream
    ? parts.pause(config.timing.heartbeatMs, late.signal).then(() => null)
    : new Promise<null>(() => {});
  const first = await Promise.race([run, waited]).finally(() => late.abort("done"));
  if (first !== null) return { whole: run, contentType: first.contentType };
  run.catch(() => {}); // the stream tells it
  return { whole: run, contentType: "text/event-stream" };
}

function streamHeaders(contentType: string, requestId: string): Record<string, string> {
  const type = contentType === "" ? "application/json" : contentType;
  if (!type.includes("event-stream")) return { ...idHeaders(requestId), "content-type": type };
  // "no-transform": Deno would pack the stream, and wait for more before it sends.
  const cache = "no-cache, no-transform";
  return { ...idHeaders(requestId), "content-type": type, "cache-control": cache };
}

function exchangeOf(
  request: Request,
  api: Api,
  requestId: string,
  body: RequestBody,
  { brokenStream }: Config,
  gone: AbortSignal,
  parts: ServeParts,
): Exchange {
  // OpenClaw sends this header, and the plain SDKs do not.
  const agent = traceparentOf(request.headers) !== undefined;
  const broken = brokenStream === "auto" ? (agent ? "length" : "error") : brokenStream;
  return {
    ...body,
    ...{ api, requestId, broken, gone, untrustedHeaders: request.headers },
    stream: body.stream && (api === "chat" || api === "messages" || api === "responses"),
    createdS: Math.floor(parts.dice.nowMs() / 1000),
  };
}

function expectedTokens({ untrustedBody, untrustedBytes }: RequestBody): Tokens {
  const limits = ["max_completion_tokens", "max_tokens", "max_output_tokens"].map((name) =>
    untrustedBody[name]
  );
  const limit = limits.find((value) => typeof value === "number" && value >= 0);
  const output = Math.min(EXPECTED_OUTPUT_TOKENS, typeof limit === "number" ? limit : Infinity);
  return { ...NO_TOKENS, input: guessedTokens(untrustedBytes.length), output };
}

/** An event of a stream carries some 200 bytes of JSON around each token, a body nearly none. */
function guessed(bytes: number, body: RequestBody, api: Api): Tokens {
  const output = api === "embeddings"
    ? 0
    : body.stream
    ? Math.ceil(bytes / 200)
    : guessedTokens(bytes);
  return { ...NO_TOKENS, input: guessedTokens(body.untrustedBytes.length), output };
}

/** A field of a log line, where there is something to say. */
function fromVm(vm: VmName | null): { readonly vm?: string } {
  return vm === null ? {} : { vm };
}

/** Both are names of the configuration. */
function clientLabels({ name, vm }: Caller): Readonly<Record<string, string>> {
  return { client: name, ...fromVm(vm) };
}

function account(
  { metrics }: ServeParts,
  caller: Caller,
  api: Api,
  target: Target | null,
  end: string,
  status: number,
  tokens: Tokens,
  used: Usage,
): void {
  metrics.count("openclaw_proxy_requests_total", { api, status: String(status) });
  if (end === "cancelled") metrics.count("openclaw_proxy_cancelled_total", { api });
  const client = clientLabels(caller);
  metrics.count("openclaw_proxy_client_requests_total", { ...client, status: String(status) });
  if (target === null) return;
  metrics.count("openclaw_proxy_client_tokens_total", client, used.tokens);
  metrics.count("openclaw_proxy_client_spend_dollars_total", client, used.spend);
  const provider = target.provider.name;
  if (end === "broken") metrics.count("openclaw_proxy_broken_streams_total", { provider });
  for (const direction of ["input", "output"] as const) {
    metrics.count("openclaw_proxy_tokens_total", { provider, direction }, tokens[direction]);
  }
  metrics.count("openclaw_proxy_spend_dollars_total", { provider }, used.spend);
}

function unknownModel(untrustedName: string, config: Config): Fault {
  const known = [...config.routes.keys(), ...config.providers.keys()].slice(0, 10).join(", ");
  const shown = /^[\w@:.+\/-]{1,80}$/.test(untrustedName) ? ` ${untrustedName}` : "";
  return fault(
    "not_found",
    `no model${shown} here; write an alias or provider/model, of: ${known}`,
    "model",
  );
}

function noPrice(route: Route): Fault {
  const name = route.flat().map(targetName)[0] ?? "";
  return fault(
    "invalid_request",
    `${name} has no price, so the cap on money cannot hold; add it to prices in proxy.json`,
  );
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** How a request reaches a provider: natively where the APIs agree, else translated. @module */

import type { Provider, Target } from "./config.ts";
import { type Answer, type Exchange, isWhole, UpstreamFailure } from "./exchange.ts";
import { nativeBody } from "./native_body.ts";
import { fault } from "./translate/fault.ts";
import type { Upload } from "./upload.ts";
import { callUpstream, type Patience, type UpstreamCall } from "./upstream_fetch.ts";

export interface AttemptContext extends Patience {
  readonly secret: string | null;
}

/** What a provider's own HTTP API is called. */
export type WireApi = "chat" | "messages" | "responses" | "embeddings" | "count_tokens";

/** The provider's own API that serves the client's; null if it must be translated, or cannot be. */
export function nativeApi(
  { api }: Pick<Exchange, "api">,
  provider: Provider,
): WireApi | null {
  if (provider.kind === "cursor") return null;
  if (provider.kind === "anthropic") {
    return api === "messages" || api === "count_tokens" ? api : null;
  }
  if (api === "chat" || api === "embeddings") return api;
  return api === "responses" && provider.responses ? api : null;
}

/** @throws {UpstreamFailure} */
export async function attemptNative(
  exchange: Exchange,
  target: Target,
  api: WireApi,
  context: AttemptContext,
): Promise<Answer> {
  const body = nativeBody(exchange, target);
  const call = upstreamCall(exchange, target.provider, api, body, context.secret);
  const start = await callUpstream(call, exchange.gone, context);
  const events = start.contentType.includes("event-stream");
  if (exchange.stream !== events) {
    if (!isWhole(start.body)) start.body.cancel();
    throw new UpstreamFailure(
      fault("server", `the provider answered as ${events ? "a stream" : "one body"}, not as asked`),
      { counts: true },
    );
  }
  // A page of a login or of a firewall comes with 200, too.
  if (!events && start.contentType !== "" && !start.contentType.includes("json")) {
    if (!isWhole(start.body)) start.body.cancel();
    throw new UpstreamFailure(fault("server", "the provider's answer is no JSON"), {
      counts: true,
    });
  }
  return { ...start, own: null };
}

export function upstreamCall(
  exchange: Exchange,
  provider: Provider,
  api: WireApi,
  body: Upload,
  secret: string | null,
): UpstreamCall {
  const headers: Record<string, string> = {
    ...Object.fromEntries(provider.headers),
    "content-type": "application/json",
    accept: exchange.stream ? "text/event-stream" : "application/json",
    // Nothing here has to be unpacked, and a packed stream comes in larger pieces.
    "accept-encoding": "identity",
    "user-agent": "openclaw-proxy",
  };
  const pass = (name: string): void => {
    const value = exchange.untrustedHeaders.get(name);
    if (value !== null) headers[name] = value;
  };
  pass("traceparent");
  if (provider.kind === "anthropic") {
    for (const name of ["anthropic-version", "anthropic-beta"]) pass(name);
    headers["anthropic-version"] ??= "2023-06-01";
    if (secret !== null) headers["x-api-key"] = secret;
  } else if (secret !== null) {
    headers["authorization"] = `Bearer ${secret}`;
  }
  return { url: urlOf(provider, api), headers, body };
}

const PATHS: Readonly<Record<WireApi, string>> = {
  chat: "/chat/completions",
  messages: "/messages",
  responses: "/responses",
  embeddings: "/embeddings",
  count_tokens: "/messages/count_tokens",
};

/** Anthropic's and Ollama's base is written with and without /v1. */
export function urlOf(provider: Provider, api: WireApi): string {
  const { baseUrl, kind } = provider;
  const versioned = kind === "openai" || baseUrl.endsWith("/v1") ? baseUrl : `${baseUrl}/v1`;
  return versioned + PATHS[api];
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** A call to a provider's own HTTP API: which one, its address, its headers, its key. @module */

import type { Provider } from "../config/config.ts";
import type { Exchange } from "../exchange.ts";
import type { Upload } from "../http/upload.ts";
import type { Patience, UpstreamCall } from "./upstream_fetch.ts";

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
    // Saves decompression, and a compressed stream arrives in larger pieces.
    "accept-encoding": "identity",
    "user-agent": "openclaw-proxy",
  };
  const pass = (name: string): void => {
    const value = exchange.untrustedHeaders.get(name);
    if (value !== null) headers[name] = value;
  };
  pass("traceparent");
  if (provider.kind === "anthropic") {
    // Versions, betas, and whatever else Claude Code sends.
    for (const name of exchange.untrustedHeaders.keys()) if (/^anthropic-/.test(name)) pass(name);
    headers["anthropic-version"] ??= "2023-06-01";
  }
  if (secret !== null) Object.assign(headers, keyHeader(provider, secret));
  return { url: urlOf(provider, api), headers, body };
}

const PATHS: Readonly<Record<WireApi, string>> = {
  chat: "/chat/completions",
  messages: "/messages",
  responses: "/responses",
  embeddings: "/embeddings",
  count_tokens: "/messages/count_tokens",
};

function keyHeader({ kind, apiKeyHeader }: Provider, secret: string): Record<string, string> {
  if (apiKeyHeader !== null) return { [apiKeyHeader]: secret };
  return kind === "anthropic" ? { "x-api-key": secret } : { authorization: `Bearer ${secret}` };
}

/** Anthropic's and Ollama's base is written with and without /v1. */
export function urlOf(provider: Provider, api: WireApi): string {
  const { baseUrl, kind, query } = provider;
  const versioned = kind === "openai" || baseUrl.endsWith("/v1") ? baseUrl : `${baseUrl}/v1`;
  return versioned + PATHS[api] +
    (query.size === 0 ? "" : `?${new URLSearchParams([...query])}`);
}

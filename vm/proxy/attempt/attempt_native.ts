// SPDX-License-Identifier: GPL-2.0-or-later
/** How a request reaches a provider: natively where the APIs agree, else translated. @module */

import type { Provider, Target } from "../config/config.ts";
import { type Answer, type Exchange, isWhole, UpstreamFailure } from "../exchange.ts";
import { refuseFailedChoice } from "./failed_choice.ts";
import { type NativeBody, nativeBody } from "./native_body.ts";
import type { Memory } from "../memory/memory.ts";
import { fault } from "../translate/fault.ts";
import type { Upload } from "../http/upload.ts";
import {
  callUpstream,
  type Patience,
  type UpstreamCall,
  type UpstreamStart,
} from "./upstream_fetch.ts";

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
  memory: Memory,
): Promise<Answer> {
  const { provider } = target;
  const { start, changes } = await callNative(exchange, target, api, context, memory);
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
  if (api === "chat" && isWhole(start.body)) refuseFailedChoice(start.body);
  const body = remembered(start.body, provider.name, api, exchange, memory);
  return { contentType: start.contentType, body, own: null, changes };
}

/** Only these two APIs sign their answers, and only responses can be referred to. */
function remembered(
  body: Answer["body"],
  maker: string,
  api: WireApi,
  exchange: Exchange,
  { origins, kept }: Memory,
): Answer["body"] {
  if (api === "messages") return origins.watch(body, maker);
  if (api !== "responses") return body;
  return kept.watch(origins.watch(body, maker), maker, exchange);
}

/** How providers reject reasoning, signatures and items that they did not make. */
const NOT_MINE = /signature|thinking|reasoning|encrypted|\bitem\b|begins with/i;

/**
 * Items from before a restart may belong to another provider: one that rejects them is asked once
 * more, without any.
 */
async function callNative(
  exchange: Exchange,
  target: Target,
  api: WireApi,
  context: AttemptContext,
  { origins, kept }: Memory,
): Promise<{ readonly start: UpstreamStart; readonly changes: readonly string[] }> {
  const send = async ({ upload, changes }: NativeBody) => {
    const call = upstreamCall(exchange, target.provider, api, upload, context.secret);
    return { start: await callUpstream(call, exchange.gone, context), changes };
  };
  const own = kept.of(exchange.client);
  const first = nativeBody(exchange, target, api, origins.made, own);
  try {
    return await send(first);
  } catch (error) {
    // An old server may not know what the proxy, and not the client, has asked for.
    if (exchange.asksUsage && refuses(error, /stream_options|include_usage/)) {
      const silent = { ...exchange, asksUsage: false };
      return await send(nativeBody(silent, target, api, origins.made, own));
    }
    if (!refuses(error, NOT_MINE)) throw error;
    const bare = nativeBody(exchange, target, api, () => SOMEBODY_ELSE, own);
    if (bare.changes.length <= first.changes.length) throw error;
    return await send(bare);
  }
}

function refuses(error: unknown, words: RegExp): boolean {
  return error instanceof UpstreamFailure && words.test(error.fault.message) &&
    (error.fault.kind === "invalid_request" || error.fault.kind === "not_found");
}

/** No provider has this name. */
const SOMEBODY_ELSE = "";

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

// SPDX-License-Identifier: GPL-2.0-or-later
/** An attempt at a provider that speaks the client's API: bytes go through as they are. @module */

import type { Target } from "../config/config.ts";
import { type Answer, type Exchange, UpstreamFailure } from "../exchange.ts";
import { isWhole } from "../bytes.ts";
import { refuseFailedChoice } from "./failed_choice.ts";
import { type NativeBody, nativeBody } from "./native_body.ts";
import type { Memory } from "../memory/memory.ts";
import { fault } from "../translate/fault.ts";
import { type AttemptContext, upstreamCall, type WireApi } from "./upstream_call.ts";
import { callUpstream, type UpstreamStart } from "./upstream_fetch.ts";

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
  // A login page, or a firewall's, has status 200, too.
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

// SPDX-License-Identifier: GPL-2.0-or-later
/** Answers of the proxy itself. @module */

import type { Api } from "../exchange.ts";
import { writeOllamaFault } from "../translate/ollama/ollama_response.ts";
import { type Fault, writeAnthropicFault, writeOpenAiFault } from "../translate/fault.ts";

export interface ReplyTo {
  readonly requestId: string;
  /** In whose format errors are written. */
  readonly api: Api | "models";
  /** The client speaks Anthropic's API, whatever the path. */
  readonly anthropic: boolean;
}

/** OpenAI's SDK reads the first of the headers, Anthropic's the second. */
export function idHeaders(requestId: string): Record<string, string> {
  return { "x-request-id": requestId, "request-id": requestId };
}

export function jsonReply(
  body: unknown,
  to: Pick<ReplyTo, "requestId">,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return Response.json(body, { status, headers: { ...idHeaders(to.requestId), ...headers } });
}

/** The longest that a client is asked to wait. */
const MAX_RETRY_AFTER_S = 60;

export function faultReply(
  found: Fault,
  to: ReplyTo,
  retryAfterMs: number | null = null,
): Response {
  const anthropic = to.anthropic || to.api === "messages" || to.api === "count_tokens";
  const body = anthropic
    ? writeAnthropicFault(found, to.requestId)
    : to.api === "ollama"
    ? writeOllamaFault(found)
    : writeOpenAiFault(found);
  const headers: Record<string, string> = {};
  if (found.status === 429 || found.status === 503) {
    const seconds = Math.min(
      MAX_RETRY_AFTER_S,
      Math.max(1, Math.ceil((retryAfterMs ?? 1000) / 1000)),
    );
    headers["retry-after"] = String(seconds);
  }
  return jsonReply(body, to, found.status, headers);
}

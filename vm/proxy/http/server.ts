// SPDX-License-Identifier: GPL-2.0-or-later
/** The proxy's HTTP surface: paths to handlers. @module */

import type { VmName } from "../../../shared/protocol/vm_name.ts";
import { refuseOrigin } from "./access.ts";
import type { Config } from "../config/config.ts";
import type { Api } from "../exchange.ts";
import type { Gauge } from "../books/metrics.ts";
import {
  anthropicModel,
  anthropicModels,
  modelNames,
  openAiModel,
  openAiModels,
  resolveModel,
} from "../route/models.ts";
import { traceparentOf } from "../books/log.ts";
import { handleOllama } from "./ollama_models.ts";
import { faultReply, idHeaders, jsonReply, type ReplyTo } from "./reply.ts";
import { type ServeParts, serveRequest } from "./serve_request.ts";
import { type Fault, fault } from "../translate/fault.ts";
import { VERSION } from "../../../shared/io/version.ts";

export interface ServerParts extends ServeParts {
  /** As it is now: a request keeps what it began with. */
  readonly config: () => Config;
  readonly startedS: number;
  readonly gauges: () => readonly Gauge[];
  readonly newId: () => string;
  /** Counts what is under way. @returns what to call when it is over */
  readonly enter: () => () => void;
}

const POSTS: ReadonlyMap<string, Api> = new Map<string, Api>([
  ["/v1/chat/completions", "chat"],
  ["/v1/messages", "messages"],
  ["/v1/messages/count_tokens", "count_tokens"],
  ["/v1/responses", "responses"],
  ["/v1/embeddings", "embeddings"],
  ["/api/chat", "ollama"],
]);

export interface Delivery {
  /** Settles when the answer is delivered, or the client has left. */
  readonly completed: Promise<void>;
}

/** @param vm whose socket it came through; null: the port on loopback */
export async function handle(
  request: Request,
  delivery: Delivery,
  vm: VmName | null,
  parts: ServerParts,
): Promise<Response> {
  const requestId = parts.newId();
  const config = parts.config();
  const { pathname } = new URL(request.url);
  const api = POSTS.get(pathname);
  const anthropic = request.headers.has("anthropic-version");
  const to: ReplyTo = { requestId, api: api ?? "models", anthropic };
  const refusal = refuseOrigin(request.headers, config);
  if (refusal !== null) return faultReply(refusal, to);
  if (api === undefined) {
    // A VM must not learn what others use.
    const shown = vm !== null && pathname === "/metrics" ? "" : pathname;
    return await handleOllama(request, shown, to, config, parts.startedS) ??
      handleGet(request, shown, to, config, parts);
  }
  if (request.method !== "POST") {
    return jsonReply({ error: { message: "send a POST" } }, to, 405, { allow: "POST" });
  }
  const leave = parts.enter();
  delivery.completed.catch(() => {}).finally(leave);
  try {
    const trace = traceparentOf(request.headers);
    const asked = { api, requestId, trace, vm, beganMs: parts.dice.nowMs() };
    return await serveRequest(request, asked, config, parts);
  } catch (error) {
    const name = error instanceof Error ? error.name : "unknown";
    // Only its name: a message may quote what was sent.
    parts.log("error", "bug", { request: requestId, error: name, at: placeOf(error) });
    return faultReply(fault("server", "the proxy has a bug; its log names the request"), to);
  }
}

function placeOf(error: unknown): string | null {
  const stack = error instanceof Error ? error.stack ?? "" : "";
  return /\(?([\w./:-]+:\d+:\d+)\)?/.exec(stack.split("\n")[1] ?? "")?.[1] ?? null;
}

function handleGet(
  request: Request,
  pathname: string,
  to: ReplyTo,
  config: Config,
  parts: ServerParts,
): Response {
  const { method } = request;
  if (method !== "GET" && method !== "HEAD") return faultReply(noSuchPath(), to);
  switch (pathname) {
    case "/health":
    case "/healthz":
      return jsonReply(health(config, parts), to);
    case "/readyz": {
      const failing = notReady(config, parts);
      return jsonReply(
        { ready: failing.length === 0, failing },
        to,
        failing.length === 0 ? 200 : 503,
      );
    }
    case "/metrics":
      return new Response(parts.metrics.text(parts.gauges()), {
        headers: {
          ...idHeaders(to.requestId),
          "content-type": "text/plain; version=0.0.4; charset=utf-8",
        },
      });
    case "/v1/models":
      return jsonReply(
        to.anthropic
          ? anthropicModels(config, parts.startedS)
          : openAiModels(config, parts.startedS),
        to,
      );
  }
  return oneModel(pathname, to, config, parts.startedS);
}

/** A base URL with one part too many, or too few, is the usual mistake. */
function noSuchPath(): Fault {
  const posts = [...POSTS.keys()].join(", ");
  return fault(
    "not_found",
    `no such path here; there are POST ${posts}; GET /v1/models, /health, /readyz. ` +
      "A client's base URL ends in /v1 (OpenAI) or in the port (Anthropic, Ollama)",
  );
}

function oneModel(pathname: string, to: ReplyTo, config: Config, startedS: number): Response {
  const encoded = /^\/v1\/models\/(.{1,600})$/.exec(pathname)?.[1];
  if (encoded === undefined) return faultReply(noSuchPath(), to);
  let id: string;
  try {
    id = decodeURIComponent(encoded);
  } catch {
    return faultReply(fault("not_found", "no such model"), to);
  }
  if (!modelNames(config).includes(id) && resolveModel(id, config) === null) {
    return faultReply(fault("not_found", "no such model", "model"), to);
  }
  return jsonReply(
    to.anthropic ? anthropicModel(id, startedS) : openAiModel(id, config, startedS),
    to,
  );
}

/** The first three fields are those of the original proxy. */
function health(config: Config, parts: ServerParts): Record<string, unknown> {
  const providers = [...config.providers.values()].map(({ name, kind }) => ({
    name,
    kind,
    state: parts.breakers.state(name),
    keyRefused: parts.breakers.keyState(name) === "refused",
    keyMissing: parts.breakers.keyState(name) === "missing",
  }));
  return {
    status: "healthy",
    authenticated: providers.some(({ keyRefused, keyMissing }) => !keyRefused && !keyMissing),
    proxy_version: VERSION,
    providers,
  };
}

/** Ready while there is an upstream that may be asked. */
function notReady(config: Config, { breakers }: ServerParts): string[] {
  const open = [...config.providers.keys()].filter((name) => breakers.state(name) === "open");
  return open.length === config.providers.size ? open : [];
}

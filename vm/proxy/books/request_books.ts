// SPDX-License-Identifier: GPL-2.0-or-later
/** What is put on record of a request when it is over: limits, counters, one line of the log. @module */

import type { VmName } from "../../../shared/protocol/vm_name.ts";
import type { Caller } from "../http/access.ts";
import type { Admitted, Refused } from "../http/admit.ts";
import { bookedTokens } from "./booked_tokens.ts";
import type { Calibration } from "./calibration.ts";
import { type Config, type Target, targetName } from "../config/config.ts";
import { type Api, type Asked, NO_TOKENS, type Seen, type Tokens } from "../exchange.ts";
import type { Usage } from "./limits.ts";
import type { Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import { usageOf } from "./prices.ts";
import type { Secrets } from "../config/secrets.ts";

export interface BookParts {
  readonly metrics: Metrics;
  readonly log: Log;
  readonly secrets: Secrets;
  readonly calibration: Calibration;
  readonly dice: { nowMs(): number };
}

/** How a request that was let in ended. */
export interface Outcome {
  /** Who answered, or was asked when the client left; null: nobody. */
  readonly target: Target | null;
  readonly end: string;
  readonly status: number;
  /** That the client got. */
  readonly bytes: number;
  /** Whether the answer came to its own end. */
  readonly isWhole: boolean;
  /** What the provider said last; null: nothing. */
  readonly tokens: Tokens | null;
  readonly seen: Seen;
  /** What its translation changed. */
  readonly changes: readonly string[];
}

export function bookRefusal(
  { api, requestId, trace, vm }: Asked,
  { refusal, caller }: Refused,
  { metrics, log, secrets }: BookParts,
): void {
  const status = String(refusal.status);
  metrics.count("openclaw_proxy_requests_total", { api, status });
  if (caller !== null) {
    metrics.count("openclaw_proxy_client_requests_total", { ...clientLabels(caller), status });
  }
  log("info", "refused", {
    request: requestId,
    traceparent: trace,
    api,
    client: caller?.name,
    ...fromVm(vm),
    status: refusal.status,
    reason: secrets.scrub(refusal.message),
  });
}

export function bookOutcome(
  asked: Asked,
  { caller, body, done }: Admitted,
  outcome: Outcome,
  config: Config,
  parts: BookParts,
): void {
  const { api, requestId, trace, vm, beganMs } = asked;
  const { target, end, status, bytes } = outcome;
  const tokens = target === null ? { ...NO_TOKENS, estimated: false } : bookedTokens({
    api,
    target,
    isWhole: outcome.isWhole,
    named: outcome.tokens,
    seen: outcome.seen,
    promptTokens: body.promptTokens,
  }, parts.calibration);
  const used = target === null ? { tokens: 0, spend: 0 } : usageOf(tokens, target, config);
  const name = target === null ? null : targetName(target);
  done(used, name);
  count(parts.metrics, { api, caller, tokens, used }, outcome);
  parts.log("info", "request", {
    request: requestId,
    traceparent: trace,
    api,
    client: caller.name,
    ...fromVm(vm),
    end,
    status,
    target: name,
    stream: body.stream,
    input: tokens.input,
    output: tokens.output,
    estimated: tokens.estimated,
    bytes,
    changes: shownChanges(outcome.changes),
    ms: Math.round(parts.dice.nowMs() - beganMs),
  });
}

/** What one request was, and what it used. */
interface Counted {
  readonly api: Api;
  readonly caller: Caller;
  readonly tokens: Tokens;
  readonly used: Usage;
}

function count(
  metrics: Metrics,
  { api, caller, tokens, used }: Counted,
  { target, end, status }: Outcome,
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

/** Of names that a client made up, no more is written down than tells what happened. */
const MAX_CHANGES = 20;

/** undefined: the log says nothing of it. */
function shownChanges(changes: readonly string[]): string | undefined {
  if (changes.length === 0) return undefined;
  const more = changes.length > MAX_CHANGES ? `; and ${changes.length - MAX_CHANGES} more` : "";
  const shown = changes.slice(0, MAX_CHANGES).map((one) => one.replace(/[^\x20-\x7e]/g, "."));
  return shown.join("; ") + more;
}

/** A field of a log line, where there is something to say. */
function fromVm(vm: VmName | null): { readonly vm?: string } {
  return vm === null ? {} : { vm };
}

/** Both are names of the configuration. */
function clientLabels({ name, vm }: Caller): Readonly<Record<string, string>> {
  return { client: name, ...fromVm(vm) };
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** One request, from target to target until one begins to answer. @module */

import type { AttemptContext } from "../attempt/upstream_call.ts";
import { createTargetPlan, type Dice, type TargetPlan } from "./target_plan.ts";
import type { Breakers } from "./breaker.ts";
import { type Config, type Route, type Target, targetName } from "../config/config.ts";
import { type Answer, type Exchange, UpstreamFailure } from "../exchange.ts";
import type { Log } from "../books/log.ts";
import type { Metrics } from "../books/metrics.ts";
import type { Secrets } from "../config/secrets.ts";
import { printable } from "../../../shared/protocol/printable.ts";
import { UserError } from "../../../shared/cli/program.ts";
import { type Fault, fault, type FaultKind, mayRetry, shownToClient } from "../translate/fault.ts";
import type { Patience } from "../attempt/upstream_fetch.ts";

export interface TryParts {
  readonly breakers: Breakers;
  readonly secrets: Secrets;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly dice: Dice;
  readonly pause: (ms: number, until: AbortSignal) => Promise<void>;
  /** @throws {UpstreamFailure} */
  readonly attempt: (
    exchange: Exchange,
    target: Target,
    context: AttemptContext,
  ) => Promise<Answer>;
}

export interface Started {
  readonly answer: Answer;
  readonly target: Target;
}

/** A refused key is not tried with every request, but again soon, for it may have been mended. */
const REFUSED_KEY_REST_MS = 30_000;

/**
 * @param onAsk called with each target before it is asked
 * @throws {UpstreamFailure} whose fault may be shown to the client as it is
 */
export async function tryTargets(
  exchange: Exchange,
  route: Route,
  config: Config,
  parts: TryParts,
  onAsk: (target: Target) => void,
): Promise<Started> {
  const { breakers, dice } = parts;
  const isClosed = (name: string): boolean => breakers.state(name) !== "open";
  const plan = createTargetPlan(route, config.timing, exchange.stream, {
    admits: (target) => isClosed(targetName(target)) && breakers.admits(target.provider.name),
    mayAsk: (target) => isClosed(targetName(target)) && isClosed(target.provider.name),
  }, dice);
  let shownOne: UpstreamFailure | null = null;
  for (;;) {
    const step = plan.next();
    if (step.do === "give up") break;
    if (step.do === "wait") {
      await parts.pause(step.ms, exchange.gone);
      if (exchange.gone.aborted) throw left();
      continue;
    }
    const { target, timeoutMs } = step;
    onAsk(target);
    try {
      const patience = { timeoutMs, idleMs: config.timing.idleMs };
      return { answer: await attempt(exchange, target, patience, parts), target };
    } catch (error) {
      if (!(error instanceof UpstreamFailure)) throw error;
      shownOne = telling(shownOne, error);
      if (error.about.gone) throw error;
      learn(error, target, plan, parts);
    }
  }
  throw shown(shownOne, exchange.model, parts.secrets);
}

async function attempt(
  exchange: Exchange,
  target: Target,
  patience: Patience,
  parts: TryParts,
): Promise<Answer> {
  const { breakers, metrics, log, dice } = parts;
  const { provider } = target;
  const beganMs = dice.nowMs();
  const tell = (outcome: string, detail: string | null): void => {
    metrics.count("openclaw_proxy_attempts_total", { provider: provider.name, outcome });
    log(outcome === "ok" ? "debug" : "info", "attempt", {
      request: exchange.requestId,
      target: targetName(target),
      outcome,
      ms: Math.round(dice.nowMs() - beganMs),
      detail,
    });
  };
  try {
    const secret = await secretOf(target, parts.secrets);
    const answer = await parts.attempt(exchange, target, { ...patience, secret });
    breakers.succeeded(provider.name);
    tell("ok", null);
    metrics.observe({ provider: provider.name }, (dice.nowMs() - beganMs) / 1000);
    return answer;
  } catch (error) {
    if (!(error instanceof UpstreamFailure)) throw error;
    if (error.about.gone) breakers.abandoned(provider.name);
    const { gone, noKey } = error.about;
    const isRefused = error.fault.kind === "authentication" && noKey !== true;
    const detail = isRefused ? "" : parts.secrets.scrub(error.fault.message);
    tell(gone ? "gone" : noKey ? "no key" : error.fault.kind, detail);
    throw error;
  }
}

async function secretOf({ provider }: Target, secrets: Secrets): Promise<string | null> {
  if (provider.apiKey === null) return null;
  try {
    return await secrets.get(provider.apiKey);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    // As a refused key: the next target may have one. The text names the reference only.
    throw new UpstreamFailure(fault("authentication", error.message), { noKey: true });
  }
}

/** What the failure says of the upstream. */
function learn(
  { fault: found, about }: UpstreamFailure,
  target: Target,
  plan: TargetPlan,
  { breakers, secrets }: TryParts,
): void {
  const name = targetName(target);
  const retryAfterMs = about.retryAfterMs ?? null;
  plan.failed(target, { again: mayRetry(found), retryAfterMs });
  if (about.counts) breakers.failed(target.provider.name);
  else if (found.kind === "rate_limit") breakers.abandoned(target.provider.name);
  else breakers.succeeded(target.provider.name); // it lives, and says why not
  switch (found.kind) {
    case "authentication":
    case "permission":
    case "billing":
      if (about.noKey) breakers.keyMissing(target.provider.name);
      else if (found.kind === "authentication") breakers.keyRefused(target.provider.name);
      if (target.provider.apiKey !== null) secrets.refused(target.provider.apiKey);
      breakers.rest(name, REFUSED_KEY_REST_MS);
      return;
    case "rate_limit":
      breakers.rest(name, retryAfterMs ?? 1000);
  }
}

/** What one provider refuses (a picture, a field, a long prompt) another one may take. */
const OF_THE_REQUEST: ReadonlySet<FaultKind> = new Set([
  "invalid_request",
  "context_length",
  "too_large",
]);

/**
 * Of two failures, the one that tells the client most: the first provider's, if the request is at
 * fault; else one after which it is worth trying again; else the last.
 */
function telling(before: UpstreamFailure | null, now: UpstreamFailure): UpstreamFailure {
  if (before === null) return now;
  if (OF_THE_REQUEST.has(before.fault.kind)) return before;
  return OF_THE_REQUEST.has(now.fault.kind) && mayRetry(before.fault) ? before : now;
}

function shown(last: UpstreamFailure | null, model: string, secrets: Secrets): UpstreamFailure {
  if (last === null) {
    return new UpstreamFailure(fault("overloaded", "every provider of this model is resting"));
  }
  const { fault: found, about } = last;
  const visible = about.noKey ? noKeyFault(model) : shownToClient(found, model);
  return new UpstreamFailure({ ...visible, message: secrets.scrub(visible.message) }, about);
}

/** Where the key lies is for the log, and not for another VM. */
function noKeyFault(model: string): Fault {
  return fault(
    "not_found",
    `model ${printable(model)} is not usable: the proxy has no key for its provider ` +
      '("openclaw-proxy check-config" and its log say why)',
  );
}

function left(): UpstreamFailure {
  return new UpstreamFailure(fault("timeout", "the client left"), { gone: true });
}

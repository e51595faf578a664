// SPDX-License-Identifier: GPL-2.0-or-later
/** Whether a request may go on, and if so, where to: who asks, for what, and within which limits. @module */

import { type Caller, identify } from "./access.ts";
import type { Config, Route } from "../config/config.ts";
import { NO_TOKENS, type Tokens } from "../exchange.ts";
import type { Admission, Limiter } from "../books/limits.ts";
import { chooseRoute } from "../route/choose_route.ts";
import { estimate, isCounted } from "../books/prices.ts";
import type { BodyBudget } from "./body_budget.ts";
import { readRequest } from "./read_request.ts";
import type { RequestBody } from "./request_body.ts";
import type { Asked } from "../exchange.ts";
import type { Secrets } from "../config/secrets.ts";
import { type Fault, fault } from "../translate/fault.ts";

export interface AdmitParts {
  readonly limiter: Limiter;
  readonly budget: BodyBudget;
  readonly secrets: Secrets;
}

export type Admitted = {
  readonly caller: Caller;
  readonly body: RequestBody;
  readonly route: Route;
  /** Money or tokens are counted for it. */
  readonly counted: boolean;
  readonly done: Extract<Admission, { admitted: true }>["done"];
};

export interface Refused {
  readonly refusal: Fault;
  readonly retryAfterMs: number | null;
  /** null: whoever asks is not known. */
  readonly caller: Caller | null;
}

const NO_USE = { tokens: 0, spend: 0 };

/** How long an answer without a limit is expected to be. */
const EXPECTED_OUTPUT_TOKENS = 1000;

export async function admit(
  request: Request,
  { api, vm }: Asked,
  config: Config,
  { limiter, budget, secrets }: AdmitParts,
): Promise<Admitted | Refused> {
  const caller = await identify(request.headers, vm, config, async ({ key }) => {
    return key === null ? null : await secrets.get(key).catch(() => null);
  });
  if ("status" in caller) {
    request.body?.cancel().catch(() => {});
    return { refusal: caller, retryAfterMs: null, caller: null };
  }
  const hold = budget.open(caller.account, config.clients.length < 2);
  const refuse = (refusal: Fault, retryAfterMs: number | null = null): Refused => {
    hold.release();
    return { refusal, retryAfterMs, caller };
  };
  const body = await readRequest(request, hold);
  if ("status" in body) return refuse(body);
  const route = chooseRoute(api, body, caller.limits, config);
  if ("status" in route) return refuse(route);
  const counted = api !== "count_tokens" && isCounted(route, caller.limits, config);
  const estimated = counted ? estimate(expectedTokens(body), route, config) : NO_USE;
  const admission = limiter.admit(caller.account, caller.limits, estimated);
  if (admission.admitted) return { caller, body, route, counted, done: admission.done };
  const { message, retryAfterMs } = admission.refusal;
  // A cap lasts: 429 or 402 would make OpenClaw wait for it, 400 makes it use another model.
  const kind = retryAfterMs === null ? "invalid_request" : "rate_limit";
  return refuse({ ...fault(kind, message), code: "proxy_limit" }, retryAfterMs);
}

function expectedTokens(body: RequestBody): Tokens {
  const { untrustedBody } = body;
  const limits = ["max_completion_tokens", "max_tokens", "max_output_tokens"].map((name) =>
    untrustedBody[name]
  );
  const limit = limits.find((value) => typeof value === "number" && value >= 0);
  const output = Math.min(EXPECTED_OUTPUT_TOKENS, typeof limit === "number" ? limit : Infinity);
  return { ...NO_TOKENS, input: body.promptTokens(), output };
}

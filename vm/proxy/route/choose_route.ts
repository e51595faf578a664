// SPDX-License-Identifier: GPL-2.0-or-later
/** Which targets a request may go to, in which order, or why to none. @module */

import { type Config, type Limits, type Route, targetName } from "../config/config.ts";
import { affordable } from "../books/prices.ts";
import type { Api } from "../exchange.ts";
import { resolveModel } from "./models.ts";
import { fittingFirst, needsOf } from "./needs.ts";
import { type Fault, fault } from "../translate/fault.ts";

interface AskedModel {
  readonly model: string;
  readonly untrustedBody: Readonly<Record<string, unknown>>;
}

/** @param limits of whoever asks: with a cap on money only targets that have a price are used */
export function chooseRoute(
  api: Api,
  body: AskedModel,
  limits: Limits,
  config: Config,
): Route | Fault {
  const all = resolveModel(body.model, config);
  if (all === null) return unknownModel(body.model, config);
  const payable = affordable(all, limits, config);
  if (payable.length === 0) return noPrice(all);
  const isChoice = payable.flat().length > 1;
  return isChoice ? fittingFirst(payable, needsOf(api, body.untrustedBody)) : payable;
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

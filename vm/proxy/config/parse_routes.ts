// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The "models" of the configuration: a name, and what is tried for it, in this order.
 *
 *     "fast": "openai/gpt-5-mini"
 *     "auto": { "try": ["anthropic/claude-x", [{"model": "a/m", "weight": 3}, "b/m"]] }
 *
 * A list inside the list is one rank: its members share the requests by weight, and stand in for
 * each other. A name that is an alias itself is not followed: what is tried is said in one place.
 *
 * @module
 */

import { MODEL, MODEL_RULE, type Provider, type Route, type Target } from "./config.ts";
import {
  BAD,
  isObject,
  listOf,
  number,
  optional,
  type Read,
  record,
  type Report,
  required,
  text,
  then,
} from "../../settings/shape.ts";

type Providers = ReadonlyMap<string, Provider>;

export function readRoutes(
  raw: ReadonlyMap<string, unknown>,
  providers: Providers,
  report: Report,
): Map<string, Route> {
  const read = routeReader(providers);
  const routes = new Map<string, Route>();
  for (const [name, value] of raw) {
    const route = read(value, `models.${name}`, report);
    if (route !== BAD) routes.set(name, route);
  }
  return routes;
}

function routeReader(providers: Providers): Read<Route> {
  const target = targetReader(providers);
  const rank: Read<readonly Target[]> = (value, path, report) => {
    if (Array.isArray(value)) return listOf(target, 1, 20)(value, path, report);
    const one = target(value, path, report);
    return one === BAD ? BAD : [one];
  };
  const tries = record({ try: required(listOf(rank, 1, 20)) });
  return (value, path, report) => {
    if (!isObject(value)) {
      return then(target, (one): Route => [[one]])(value, path, report);
    }
    return then(tries, (got): Route => got.try)(value, path, report);
  };
}

function targetReader(providers: Providers): Read<Target> {
  const weighted = record({
    model: required(text(MODEL, MODEL_RULE)),
    weight: optional(number(0.001, 1000), 1),
  });
  return (value, path, report) => {
    const asObject = isObject(value) ? value : { model: value };
    return then(weighted, ({ model, weight }): Target | typeof BAD => {
      const found = splitTarget(model, providers);
      if (found !== null) return { ...found, weight };
      report({
        path,
        text: "names no provider of this file",
        fix: `${MODEL_RULE}; providers are: ${[...providers.keys()].join(", ")}`,
      });
      return BAD;
    })(asObject, path, report);
  };
}

/** "provider/model"; a model's own name may hold further slashes. */
export function splitTarget(
  name: string,
  providers: Providers,
): Pick<Target, "provider" | "model"> | null {
  const slash = name.indexOf("/");
  if (slash <= 0 || slash === name.length - 1) return null;
  const provider = providers.get(name.slice(0, slash));
  return provider === undefined ? null : { provider, model: name.slice(slash + 1) };
}

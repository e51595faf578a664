// SPDX-License-Identifier: GPL-2.0-or-later
/** What a request needs of a model, and which targets of a route have it. @module */

import { isObject } from "../../settings/shape.ts";
import { abilitiesOf } from "../config/abilities.ts";
import type { Ability, Route, Target } from "../config/config.ts";
import type { Api } from "../exchange.ts";

export interface Needs {
  readonly abilities: ReadonlySet<Ability>;
  /** The longest answer that the client allows; null: it does not say. */
  readonly outputTokens: number | null;
}

type Json = Readonly<Record<string, unknown>>;

/** Kinds of a content's parts, in all of the APIs. */
const PARTS: ReadonlyMap<unknown, Ability> = new Map<unknown, Ability>([
  ["image_url", "images"],
  ["image", "images"],
  ["input_image", "images"],
  ["file", "documents"],
  ["document", "documents"],
  ["input_file", "documents"],
]);

/** @param untrustedBody read as far as it makes sense: others report what is wrong in it */
export function needsOf(api: Api, untrustedBody: Json): Needs {
  const abilities = new Set<Ability>();
  for (const list of [untrustedBody["messages"], untrustedBody["input"]]) {
    for (const turn of objectsIn(list)) {
      look(turn["content"], abilities);
      look(turn["output"], abilities);
      if (api === "ollama" && objectsOrTexts(turn["images"])) abilities.add("images");
    }
  }
  if (Array.isArray(untrustedBody["tools"]) && untrustedBody["tools"].length > 0) {
    abilities.add("tools");
  }
  if (asksToThink(untrustedBody)) abilities.add("thinking");
  const limits = ["max_completion_tokens", "max_tokens", "max_output_tokens"];
  const given = limits.map((name) => untrustedBody[name]).find((one) => typeof one === "number");
  return { abilities, outputTokens: typeof given === "number" ? given : null };
}

/** The results of tools hold parts, too. */
function look(content: unknown, found: Set<Ability>, depth = 0): void {
  for (const part of objectsIn(content)) {
    const ability = PARTS.get(part["type"]);
    if (ability !== undefined) found.add(ability);
    if (depth < 2) look(part["content"], found, depth + 1);
  }
}

function asksToThink({ thinking, reasoning_effort, reasoning }: Json): boolean {
  const effort = reasoning_effort ?? (isObject(reasoning) ? reasoning["effort"] : undefined);
  if (typeof effort === "string") return effort !== "none" && effort !== "minimal";
  const type = isObject(thinking) ? thinking["type"] : undefined;
  return type === "enabled" || type === "adaptive";
}

function objectsIn(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function objectsOrTexts(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0;
}

/**
 * Those that have what is needed, in their order, and behind them the others: what we know of a
 * model may be wrong, so none is ruled out.
 */
export function fittingFirst(route: Route, { abilities, outputTokens }: Needs): Route {
  const fits = (target: Target): boolean => {
    const { can, maxOutputTokens } = abilitiesOf(target);
    return [...abilities].every((ability) => can.has(ability)) &&
      (maxOutputTokens ?? Infinity) >= (outputTokens ?? 0);
  };
  const part = (wanted: boolean): Route =>
    route.map((rank) => rank.filter((target) => fits(target) === wanted))
      .filter((rank) => rank.length > 0);
  return [...part(true), ...part(false)];
}

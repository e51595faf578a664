// SPDX-License-Identifier: GPL-2.0-or-later
/** Which targets a model's name stands for, and the list of names. @module */

import { type Config, MODEL, type Route } from "../config/config.ts";
import { splitTarget } from "../config/parse_routes.ts";

/** Names by which the original proxy was asked. */
const CURSOR_PREFIX = "cursor-acp/";

/** An alias, "provider/model", a model that one provider lists, or "auto". null: nothing. */
export function resolveModel(untrustedName: string, config: Config): Route | null {
  if (!MODEL.test(untrustedName)) return null;
  const alias = config.routes.get(untrustedName);
  if (alias !== undefined) return alias;
  const name = untrustedName.startsWith(CURSOR_PREFIX) && config.providers.has("cursor")
    ? `cursor/${untrustedName.slice(CURSOR_PREFIX.length)}`
    : untrustedName;
  const direct = splitTarget(name, config.providers);
  if (direct !== null) return [[{ ...direct, weight: 1 }]];
  for (const provider of config.providers.values()) {
    if (provider.models.includes(name)) return [[{ provider, model: name, weight: 1 }]];
  }
  if (name !== "auto") return null;
  for (const provider of config.providers.values()) {
    const model = provider.kind === "cursor" ? "auto" : provider.models[0];
    if (model !== undefined) return [[{ provider, model, weight: 1 }]];
  }
  return null;
}

/** Aliases first, then what the providers list. */
export function modelNames(config: Config): string[] {
  const names = [
    ...config.routes.keys(),
    ...(config.routes.has("auto") || resolveModel("auto", config) === null ? [] : ["auto"]),
    ...[...config.providers.values()].flatMap(({ name, models }) =>
      models.map((model) => `${name}/${model}`)
    ),
  ];
  return [...new Set(names)];
}

export function ownerOf(name: string, config: Config): string {
  return resolveModel(name, config)?.[0]?.[0]?.provider.name ?? "openclaw-proxy";
}

interface ModelList {
  readonly object: "list";
  readonly data: readonly unknown[];
}

/** In the shape of OpenAI's list. */
export function openAiModels(config: Config, createdS: number): ModelList {
  return {
    object: "list",
    data: modelNames(config).map((id) => openAiModel(id, config, createdS)),
  };
}

export function openAiModel(id: string, config: Config, created: number): Record<string, unknown> {
  return { id, object: "model", created, owned_by: ownerOf(id, config) };
}

export function anthropicModels(config: Config, createdS: number): Record<string, unknown> {
  const data = modelNames(config).map((id) => anthropicModel(id, createdS));
  return {
    data,
    has_more: false,
    first_id: data[0]?.["id"] ?? null,
    last_id: data.at(-1)?.["id"] ?? null,
  };
}

export function anthropicModel(id: string, createdS: number): Record<string, unknown> {
  const created_at = new Date(createdS * 1000).toISOString();
  return { type: "model", id, display_name: id, created_at };
}

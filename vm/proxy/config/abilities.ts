// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What a model can read and do, as far as it matters for where a request goes. proxy.json says it
 * for a model, or for all of a provider; else a table of models that are known to lack something;
 * a model that is in neither is taken to be able to do all, for a guess is no reason to pass it over.
 *
 * @module
 */

import type { Abilities, Ability, Provider, Target } from "./config.ts";

export const ABILITIES = ["images", "documents", "tools", "thinking"] as const;

/** For all models of a provider that have no line of their own. */
export const ALL_MODELS = "*";

interface Known {
  /** Of the last part of a model's name: "meta-llama/Llama-3.1-8B" is "llama-3.1-8b". */
  readonly name: RegExp;
  readonly lacks: readonly Ability[];
}

/**
 * By the providers' lists of models (platform.openai.com/docs/models, docs.claude.com "Models
 * overview", api-docs.deepseek.com, docs.mistral.ai "Models", ollama.com/library). The first counts.
 */
const TABLE: readonly Known[] = [
  { name: /^gpt-3\.5|^gpt-4-(0|32k)|^gpt-4$/, lacks: ["images", "documents", "thinking"] },
  { name: /^gpt-4|^chatgpt-4o/, lacks: ["thinking"] },
  { name: /^o1-mini|^o1-preview/, lacks: ["images", "documents", "tools"] },
  { name: /^o3-mini/, lacks: ["images", "documents"] },
  { name: /^gpt-oss|^gpt-realtime/, lacks: ["images", "documents"] },
  { name: /^claude-3-7/, lacks: [] },
  { name: /^claude-(2|instant)/, lacks: ["images", "documents", "tools", "thinking"] },
  { name: /^claude-3/, lacks: ["thinking"] },
  { name: /^deepseek-(reasoner|r1)/, lacks: ["images", "documents"] },
  { name: /^deepseek-(?!vl)/, lacks: ["images", "documents"] },
  {
    name: /^(codestral|devstral|mathstral|mixtral|open-mi|mistral(-7b|-nemo)?(:|$|-v0|-instruct))/,
    lacks: ["images", "documents", "thinking"],
  },
  {
    name: /^llama-?(2|3(\.1|\.3)?)([:-]|$)|^llama-?3\.2[:-](1|3)b|^llama3\.2(:latest)?$|^codellama/,
    lacks: ["images", "documents", "thinking"],
  },
  { name: /^qwen-?(2|2\.5|3)(-coder)?([:-](?!vl|omni)|$)/, lacks: ["images", "documents"] },
  {
    name:
      /^(phi-?[34](?!.*vision|.*multimodal)|gemma-?2|command-r|glm-4\.[56](?!v)|kimi-k2(?!\.5))/,
    lacks: ["images", "documents"],
  },
  { name: /^grok-(2(?!-vision)|3|code)/, lacks: ["images", "documents"] },
];

const ALL: ReadonlySet<Ability> = new Set(ABILITIES);
const kept = new Map<string, Abilities>();
const MAX_KEPT = 1000;

export function abilitiesOf({ provider, model }: Pick<Target, "provider" | "model">): Abilities {
  const own = provider.abilities.get(model) ?? provider.abilities.get(ALL_MODELS);
  if (own?.can !== undefined && own.can !== null) return { ...own, can: own.can };
  const key = `${provider.kind} ${model}`;
  let found = kept.get(key);
  if (found === undefined) {
    found = fromTable(provider, model);
    if (kept.size >= MAX_KEPT) kept.clear(); // a client may name any model
    kept.set(key, found);
  }
  return { ...found, maxOutputTokens: own?.maxOutputTokens ?? found.maxOutputTokens };
}

function fromTable({ kind }: Provider, model: string): Abilities {
  const name = model.slice(model.lastIndexOf("/") + 1).toLowerCase();
  const lacks = new Set(TABLE.find((known) => known.name.test(name))?.lacks ?? []);
  // Neither has a way to send one.
  if (kind === "ollama" || kind === "cursor") lacks.add("documents");
  if (kind === "cursor") lacks.add("images");
  return { can: new Set([...ALL].filter((one) => !lacks.has(one))), maxOutputTokens: null };
}

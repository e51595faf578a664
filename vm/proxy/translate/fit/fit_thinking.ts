// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The client's thinking settings, in the form that this Claude model accepts: the client chose them
 * for the model it believes it is using, and an alias or a fallback leads to another ("Adaptive thinking",
 * "Extended thinking", "Effort").
 *
 * @module
 */

import { type Body, type Fit, mapObjects, withFields } from "./fit_fields.ts";
import { isObject } from "../../../settings/shape.ts";
import {
  anthropicEffortOf,
  budgetOf,
  type ClaudeTraits,
  claudeTraits,
  MIN_BUDGET_TOKENS,
} from "../thinking.ts";

export function fitThinking(body: Body, { model, say }: Fit): Body {
  if (!model.includes("claude")) return body; // other providers of this API have their own rules
  const traits = claudeTraits(model);
  const thought = thinkingFor(body, traits);
  if (thought !== body["thinking"]) say("thinking: in the way that this model takes");
  const bare = thought === undefined ? { context_management: withoutClearing(body) } : {};
  return withFields(body, {
    thinking: thought,
    output_config: effortFor(body, thought, traits),
    ...bare,
  });
}

function thinkingFor(body: Body, traits: ClaudeTraits): unknown {
  const { thinking, max_tokens } = body;
  if (!isObject(thinking) || thinking["type"] === "disabled") return thinking;
  if (!traits.thinks || (traits.budget && goesOnWithoutThinking(body["messages"]))) {
    return undefined;
  }
  if (thinking["type"] === "adaptive" && !traits.adaptive) {
    const wish = { kind: "adaptive" as const, effort: String(effortOf(body) ?? "high") };
    const most = typeof max_tokens === "number" ? max_tokens - MIN_BUDGET_TOKENS : 0;
    const budget_tokens = Math.min(budgetOf(wish), most);
    return budget_tokens < MIN_BUDGET_TOKENS ? undefined : { type: "enabled", budget_tokens };
  }
  return thinking["type"] === "enabled" && !traits.budget ? { type: "adaptive" } : thinking;
}

const effortOf = (body: Body): unknown =>
  isObject(body["output_config"]) ? body["output_config"]["effort"] : undefined;

/** Turns a budget that the model rejects into an effort. */
function effortFor(body: Body, thought: unknown, traits: ClaudeTraits): unknown {
  const { thinking, output_config: config } = body;
  if (!traits.effort) {
    if (!isObject(config)) return config;
    const rest = withFields(config, { effort: undefined });
    return Object.keys(rest).length === 0 ? undefined : rest;
  }
  if (thought === thinking || !isObject(thinking) || effortOf(body) !== undefined) return config;
  const tokens = thinking["budget_tokens"];
  if (thought === undefined || typeof tokens !== "number") return config;
  return {
    ...(isObject(config) ? config : {}),
    effort: anthropicEffortOf({ kind: "budget", tokens }),
  };
}

/** Without thinking, Anthropic rejects an edit that clears it. */
function withoutClearing(body: Body): unknown {
  const context = body["context_management"];
  if (!isObject(context)) return context;
  return withFields(context, {
    edits: mapObjects(
      context["edits"],
      (edit) => String(edit["type"]).startsWith("clear_thinking") ? undefined : edit,
    ),
  });
}

/**
 * With a budget, a turn that continues after tool results has to begin with its thinking; if another
 * provider made that, thinking is turned off for this turn. Newer models have no such rule.
 */
function goesOnWithoutThinking(messages: unknown): boolean {
  if (!Array.isArray(messages)) return false;
  const last: unknown = messages.at(-1);
  const before: unknown = messages.at(-2);
  if (!isObject(last) || !isObject(before) || before["role"] !== "assistant") return false;
  const types = (content: unknown): unknown[] =>
    Array.isArray(content) ? content.map((block) => isObject(block) ? block["type"] : null) : [];
  const [first] = types(before["content"]);
  return types(last["content"]).includes("tool_result") && first !== "thinking" &&
    first !== "redacted_thinking";
}

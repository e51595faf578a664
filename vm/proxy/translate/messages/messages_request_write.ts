// SPDX-License-Identifier: GPL-2.0-or-later
/** A Conversation as the body of POST /v1/messages. @module */

import type { Conversation, ResponseFormat, Tool, ToolChoice, Written } from "../conversation.ts";
import { given } from "../json_node.ts";
import {
  type Block,
  markLast,
  type TakesBack,
  writeMessages,
  writeSystem,
} from "./messages_turns_write.ts";
import {
  anthropicEffortOf,
  budgetOf,
  type ClaudeTraits,
  claudeTraits,
  MIN_BUDGET_TOKENS,
} from "../thinking.ts";

export interface MessagesRequestOptions {
  /** Anthropic requires a limit; used where the client gave none. */
  readonly defaultMaxTokens: number;
  /** The model's maximum output: Anthropic rejects anything higher. */
  readonly maxTokens?: number;
  /**
   * Marks the end of the system prompt and of the conversation for Anthropic's cache, where the
   * client set no marks: OpenClaw sends the same 48 KB with each request, and only cached ones
   * are cheap.
   */
  readonly cachePrompt: boolean;
  /** Which earlier thinking to send back to the provider; by default, whatever is signed. */
  readonly takesBack?: TakesBack;
}

const isSigned: TakesBack = (part) => part.kind === "redacted" || part.signature !== "";

/** Writes what the messages API supports, and reports what it does not. */
export function writeMessagesRequest(from: Conversation, options: MessagesRequestOptions): Written {
  const changes = [
    ...from.changes,
    ...Object.keys(from.extras).map((key) => `${key.slice(0, 40)} left out`),
  ];
  const traits = claudeTraits(from.model);
  const signed = options.takesBack ?? isSigned;
  const wanted = from.maxTokens ?? options.defaultMaxTokens;
  const maxTokens = Math.min(wanted, options.maxTokens ?? Infinity);
  if (maxTokens < wanted) changes.push("max_tokens lowered to the model's own");
  const thinking = writeThinking(from, traits, maxTokens, signed, changes);
  const system = writeSystem(from.turns, changes);
  const thinks = "thinking" in thinking;
  const messages = writeMessages(from.turns, changes, (part) => thinks && signed(part));
  const tools = from.tools.map(writeTool);
  if (options.cachePrompt && !hasMarks(from)) {
    markLast(system.length > 0 ? system : tools);
    markLast(messages.at(-1)?.content ?? []);
  }
  const body: Record<string, unknown> = {
    model: from.model,
    max_tokens: maxTokens,
    ...given("system", system.length === 0 ? undefined : system),
    messages,
    ...given("tools", tools.length === 0 ? undefined : tools),
    ...given("tool_choice", writeToolChoice(from)),
    ...writeSampling(from, traits, "thinking" in thinking, changes),
    ...given("stop_sequences", writeStop(from.stop, changes)),
    ...withFormat(thinking, from.format, changes),
    ...given("metadata", from.userId === undefined ? undefined : { user_id: from.userId }),
    ...(from.stream ? { stream: true } : {}),
  };
  return { body, changes: [...new Set(changes)] };
}

const hasMarks = ({ turns, tools }: Conversation): boolean =>
  tools.some(({ cache }) => cache !== undefined) ||
  turns.some((turn) => turn.parts.some((part) => "cache" in part));

function writeTool({ name, description, schema, strict, cache }: Tool): Block {
  return {
    name,
    ...given("description", description),
    input_schema: schema.type === undefined ? { ...schema, type: "object" } : schema,
    ...given("strict", strict === true ? true : undefined),
    ...given("cache_control", cache),
  };
}

/** Anthropic makes "one at a time" a part of the choice, and rejects a choice without tools. */
function writeToolChoice(from: Conversation): Record<string, unknown> | undefined {
  if (from.tools.length === 0) return undefined;
  const oneAtATime = from.parallelToolCalls === false;
  const choice = from.toolChoice ?? (oneAtATime ? { kind: "auto" } as const : undefined);
  if (choice === undefined) return undefined;
  if (choice.kind === "none") return { type: "none" };
  return { ...choiceOf(choice), ...(oneAtATime ? { disable_parallel_tool_use: true } : {}) };
}

function choiceOf(choice: ToolChoice): Record<string, unknown> {
  if (choice.kind === "named") return { type: "tool", name: choice.name };
  return { type: choice.kind === "required" ? "any" : choice.kind };
}

/** Anthropic rejects blank ones. */
function writeStop(stop: readonly string[], changes: string[]): string[] | undefined {
  const kept = stop.filter((sequence) => sequence.trim() !== "");
  if (kept.length < stop.length) changes.push("blank stop sequences left out");
  return kept.length === 0 ? undefined : kept;
}

/** @returns "thinking" and "output_config" where wanted and possible */
function writeThinking(
  from: Conversation,
  traits: ClaudeTraits,
  maxTokens: number,
  signed: TakesBack,
  changes: string[],
): Record<string, unknown> {
  const { thinking } = from;
  if (thinking === undefined || thinking.kind === "off") return {};
  const why = whyNotThink(from, traits, signed);
  if (why !== undefined) {
    changes.push(`thinking left out: ${why}`);
    return {};
  }
  if (!traits.budget) {
    return {
      thinking: { type: "adaptive" },
      output_config: { effort: anthropicEffortOf(thinking) },
    };
  }
  const budget = Math.min(budgetOf(thinking), maxTokens - MIN_BUDGET_TOKENS);
  if (budget < MIN_BUDGET_TOKENS) {
    changes.push("thinking left out: max_tokens is too small for it");
    return {};
  }
  return { thinking: { type: "enabled", budget_tokens: budget } };
}

/** Reasons for which Anthropic would answer 400 ("Extended thinking", tool use). */
function whyNotThink(
  from: Conversation,
  traits: ClaudeTraits,
  signed: TakesBack,
): string | undefined {
  if (!traits.thinks) return "the model has none";
  const kind = from.toolChoice?.kind;
  if (kind === "named" || kind === "required") return "a tool is forced";
  if (traits.budget && lastCallHasNoThinking(from, signed)) {
    return "the tool call that goes on came without signed thinking";
  }
  return undefined;
}

/** Clients of OpenAI's API cannot give back the signed thinking that came before a tool call. */
function lastCallHasNoThinking({ turns }: Conversation, signed: TakesBack): boolean {
  const last = turns.findLast((turn) => turn.role === "assistant" || turn.role === "tool");
  if (last?.role !== "tool") return false;
  const caller = turns.findLast((turn) => turn.role === "assistant");
  return caller?.role === "assistant" &&
    !caller.parts.some((part) =>
      (part.kind === "redacted" || part.kind === "thinking") && signed(part)
    );
}

function writeSampling(
  from: Conversation,
  traits: ClaudeTraits,
  thinks: boolean,
  changes: string[],
): Record<string, unknown> {
  const { temperature, topP, topK } = from;
  if (temperature === undefined && topP === undefined && topK === undefined) return {};
  if (!traits.sampling || thinks) {
    const why = thinks ? "with thinking" : "by this model";
    changes.push(`temperature, top_p, top_k left out: not taken ${why}`);
    return {};
  }
  if (temperature !== undefined && temperature > 1) changes.push("temperature lowered to 1");
  // The newer of these models reject both together; OpenAI advises against it, too.
  const both = temperature !== undefined && topP !== undefined;
  if (both) changes.push("top_p left out: temperature is given");
  return {
    ...given("temperature", temperature === undefined ? undefined : Math.min(temperature, 1)),
    ...given("top_p", both ? undefined : topP),
    ...given("top_k", topK),
  };
}

function withFormat(
  thinking: Record<string, unknown>,
  format: ResponseFormat | undefined,
  changes: string[],
): Record<string, unknown> {
  if (format?.kind !== "json_schema") {
    if (format !== undefined) changes.push("response_format json_object left out");
    return thinking;
  }
  const effort = thinking["output_config"];
  return {
    ...thinking,
    output_config: {
      ...(typeof effort === "object" ? effort : {}),
      format: { type: "json_schema", schema: format.schema },
    },
  };
}

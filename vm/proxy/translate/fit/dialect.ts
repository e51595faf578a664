// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What each kind of provider rejects, in one table. "OpenAI-compatible" covers many dialects: a field
 * that one requires (its own reasoning) another rejects with 400. fit_*.ts apply it to every body.
 *
 * Sources: platform.openai.com/docs/api-reference/chat/create, ai.google.dev/gemini-api/docs/
 * openai and .../thought-signatures, api-docs.deepseek.com/guides/thinking_mode, platform.moonshot.ai
 * (kimi-k2-thinking), docs.mistral.ai/api, console.groq.com/docs/openai, docs.x.ai/docs/guides/chat,
 * openrouter.ai/docs, docs.ollama.com/api/openai-compatibility.
 *
 * @module
 */

/** Names for the configuration; "ollama" and "anthropic" are provider kinds of their own. */
export const DIALECT_NAMES = [
  "openai",
  "gemini",
  "deepseek",
  "kimi",
  "mistral",
  "groq",
  "xai",
  "openrouter",
  "generic",
] as const;

export interface Dialect {
  /** reasoning_content of earlier answers: required, accepted, or rejected. */
  readonly reasoning: "wanted" | "taken" | "refused";
  /** extra_content of tool calls, which holds Gemini's thought signatures. */
  readonly thoughtSignatures: "wanted" | "taken" | "refused";
  /** cache_control on parts and tools, Anthropic's cache marks in chat completions. */
  readonly cacheMarks: "taken" | "refused";
  /** Parts of type "file" (PDF). */
  readonly files: "taken" | "refused";
  readonly maxStops: number;
  /** How it calls the limit of an answer. */
  readonly maxTokens: "max_tokens" | "max_completion_tokens";
  /** Accepted ids of tool calls; null: any of at most 40 characters. */
  readonly callId: RegExp | null;
  /** Top-level fields that it rejects. */
  readonly refused: readonly string[];
}

/** Unknown servers: only changes that are safe everywhere. If one rejects a request, the next target is tried. */
const GENERIC: Dialect = {
  reasoning: "taken",
  thoughtSignatures: "taken",
  cacheMarks: "taken",
  files: "refused",
  maxStops: Infinity,
  maxTokens: "max_completion_tokens",
  callId: null,
  refused: [],
};

const STRICT: Dialect = {
  ...GENERIC,
  reasoning: "refused",
  thoughtSignatures: "refused",
  cacheMarks: "refused",
  maxStops: 4,
};

const OPENAI_ONLY = [
  "moderation",
  "prediction",
  "prompt_cache_key",
  "prompt_cache_retention",
  "safety_identifier",
  "service_tier",
  "store",
  "verbosity",
  "web_search_options",
];

const DIALECTS: ReadonlyMap<string, Dialect> = new Map<string, Dialect>([
  ["openai", { ...STRICT, files: "taken" }],
  ["gemini", {
    ...STRICT,
    thoughtSignatures: "wanted",
    maxStops: 5,
    refused: [...OPENAI_ONLY, "logit_bias"],
  }],
  ["deepseek", { ...STRICT, reasoning: "wanted", maxStops: 16, maxTokens: "max_tokens" }],
  ["kimi", { ...STRICT, reasoning: "wanted", maxStops: 5, maxTokens: "max_tokens" }],
  ["mistral", {
    ...STRICT,
    maxTokens: "max_tokens",
    maxStops: Infinity,
    callId: /^[A-Za-z0-9]{9}$/,
    refused: [...OPENAI_ONLY, "logit_bias", "logprobs", "top_logprobs", "user"],
  }],
  ["groq", { ...STRICT, refused: ["logit_bias", "logprobs", "top_logprobs"] }],
  ["xai", { ...STRICT, reasoning: "taken" }],
  ["openrouter", { ...GENERIC, files: "taken", maxStops: 4 }],
  ["ollama", {
    ...GENERIC,
    maxTokens: "max_tokens",
    thoughtSignatures: "refused",
    cacheMarks: "refused",
  }],
  ["anthropic", { ...GENERIC, files: "taken" }],
]);

/** Host name, or its end -> dialect. */
const HOSTS: readonly (readonly [end: string, dialect: string])[] = [
  ["api.openai.com", "openai"],
  [".openai.azure.com", "openai"],
  [".services.ai.azure.com", "openai"],
  ["generativelanguage.googleapis.com", "gemini"],
  ["api.deepseek.com", "deepseek"],
  ["api.moonshot.ai", "kimi"],
  ["api.moonshot.cn", "kimi"],
  ["api.mistral.ai", "mistral"],
  ["api.groq.com", "groq"],
  ["api.x.ai", "xai"],
  ["openrouter.ai", "openrouter"],
];

/** The part of a provider's configuration that determines its dialect. */
export interface Speaker {
  readonly kind: string;
  readonly baseUrl: string;
  /** One of DIALECT_NAMES, where the host does not tell. */
  readonly dialect: string | null;
}

export function dialectOf({ kind, baseUrl, dialect }: Speaker): Dialect {
  return DIALECTS.get(dialect ?? (kind === "openai" ? dialectOfHost(baseUrl) : kind)) ?? GENERIC;
}

function dialectOfHost(baseUrl: string): string {
  const host = URL.parse(baseUrl)?.hostname ?? "";
  return HOSTS.find(([end]) => end.startsWith(".") ? host.endsWith(end) : host === end)?.[1] ??
    "generic";
}

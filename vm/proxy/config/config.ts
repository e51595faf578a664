// SPDX-License-Identifier: GPL-2.0-or-later
/** What proxy.json says, once it is read: values only. @module */

import type { VmName } from "../../../shared/protocol/vm_name.ts";

/** Where a secret lies; never the secret. */
export type SecretRef =
  /** A line of the environment file. */
  | { readonly from: "env"; readonly name: string }
  /** What a program prints. */
  | { readonly from: "command"; readonly argv: readonly string[] }
  /** What a qrexec service of another VM prints, as dom0's policy allows. */
  | { readonly from: "qrexec"; readonly service: string; readonly target: string };

export type MaxTokensField = "max_tokens" | "max_completion_tokens";

export type ProviderKind = "openai" | "anthropic" | "ollama" | "cursor";

export interface Provider {
  readonly name: string;
  readonly kind: ProviderKind;
  /** Without a slash at its end; for cursor empty. */
  readonly baseUrl: string;
  readonly apiKey: SecretRef | null;
  /** Which header carries the key, alone; null: as the kind has it. */
  readonly apiKeyHeader: string | null;
  /** How it calls the limit of an answer in chat completions; null: as its dialect has it. */
  readonly maxTokensField: MaxTokensField | null;
  /** Behind each URL, as "api-version" of Azure's older form. */
  readonly query: ReadonlyMap<string, string>;
  /** Sent with each request, beside those that the protocol needs. */
  readonly headers: ReadonlyMap<string, string>;
  /** For /v1/models; a model that is not listed can still be reached as "provider/model". */
  readonly models: readonly string[];
  /** Fields that this upstream does not know: taken out of a request. */
  readonly drop: readonly string[];
  /** How it speaks where its host does not tell: one of DIALECT_NAMES. */
  readonly dialect: string | null;
  /** Whether it serves /responses itself. */
  readonly responses: boolean;
  /** By model, "*" for all others. */
  readonly abilities: ReadonlyMap<string, Stated>;
  readonly cursor: CursorSettings;
}

export type Ability = "images" | "documents" | "tools" | "thinking";

export interface Abilities {
  readonly can: ReadonlySet<Ability>;
  /** The longest answer; null: not known. */
  readonly maxOutputTokens: number | null;
}

/** What proxy.json says of a model. null: nothing. */
export interface Stated {
  readonly can: ReadonlySet<Ability> | null;
  readonly maxOutputTokens: number | null;
}

export interface CursorSettings {
  /** Absolute, or a name on PATH. */
  readonly program: string;
  readonly timeoutSeconds: number;
  /** "openclaw": the client's tools, called by the client; "agent": cursor's own, run in the VM. */
  readonly toolMode: "openclaw" | "agent";
  readonly thinking: boolean;
  readonly workspace: string | null;
}

/** One model of one provider. */
export interface Target {
  readonly provider: Provider;
  readonly model: string;
  /** Among targets of the same rank one is chosen by weight; 1 unless said. */
  readonly weight: number;
}

/** Ranks in the order in which they are tried; in each, targets that share by weight. */
export type Route = readonly (readonly Target[])[];

/** US dollars for a million tokens. */
export interface Price {
  readonly input: number;
  readonly output: number;
  /** null, as the next two: by the provider's usual rule. */
  readonly cacheRead: number | null;
  readonly cacheWrite: number | null;
  /** What is kept for an hour. */
  readonly cacheWriteHour: number | null;
}

/** Each may be absent: no limit. Money in US dollars. */
export interface Limits {
  readonly requestsPerMinute: number | null;
  readonly tokensPerMinute: number | null;
  readonly tokensPerDay: number | null;
  readonly concurrent: number | null;
  readonly spendPerDay: number | null;
  readonly spendPerMonth: number | null;
}

/** Known by its key, by the VM it asks from, or by both; what is named here must hold. */
export interface Client {
  readonly name: string;
  readonly key: SecretRef | null;
  readonly vm: VmName | null;
  readonly limits: Limits;
}

export interface Timing {
  /** After this no further attempt of one request begins. */
  readonly deadlineMs: number;
  /** How long one upstream may take to begin, as long as another one is left. */
  readonly firstByteMs: number;
  /** How long the last one may take to begin, and any one that is not asked for a stream. */
  readonly responseMs: number;
  /** Silence inside a stream after which it counts as broken. */
  readonly idleMs: number;
  /** Silence after which the client gets a sign of life. */
  readonly heartbeatMs: number;
  /** Rounds through the route beyond the first. */
  readonly retries: number;
}

export interface BreakerSettings {
  readonly failures: number;
  readonly windowMs: number;
  readonly openMs: number;
}

/** How a stream ends that the upstream broke off after its first byte. */
export type BrokenStream = "auto" | "length" | "error";

export interface Config {
  readonly port: number;
  /** Names beside the loopback ones that the Host header may hold. */
  readonly hosts: readonly string[];
  readonly providers: ReadonlyMap<string, Provider>;
  readonly routes: ReadonlyMap<string, Route>;
  readonly prices: ReadonlyMap<string, Price>;
  readonly clients: readonly Client[];
  /** For everyone where there are no clients; for each client whose own say nothing. */
  readonly limits: Limits;
  readonly timing: Timing;
  readonly breaker: BreakerSettings;
  readonly brokenStream: BrokenStream;
  readonly logLevel: "error" | "info" | "debug";
}

/** How a target is called in a request, in the logs and in the prices. */
export function targetName(target: Pick<Target, "provider" | "model">): string {
  return `${target.provider.name}/${target.model}`;
}

export const MODEL = /^[\w@:.+\/-]{1,200}$/;
export const MODEL_RULE = 'write "provider/model", for example "openai/gpt-5"';

// SPDX-License-Identifier: GPL-2.0-or-later
/** proxy.json, checked: every problem with its path and what to write instead. @module */

import { ABILITIES, ALL_MODELS } from "./abilities.ts";
import { readBaseUrl } from "./base_url.ts";
import type {
  Client,
  Config,
  CursorSettings,
  Price,
  Provider,
  ProviderKind,
  Stated,
} from "./config.ts";
import { MODEL, MODEL_RULE } from "./config.ts";
import { amount, client, limits, noLimits, nullable, reportTwins } from "./parse_clients.ts";
import { readRoutes } from "./parse_routes.ts";
import { PLAIN, secretRef } from "./parse_secret.ts";
import { DIALECT_NAMES } from "../translate/fit/dialect.ts";
import {
  BAD,
  flag,
  listOf,
  mapOf,
  number,
  oneOf,
  optional,
  type Problem,
  type Read,
  record,
  type Report,
  required,
  text,
  then,
  whole,
} from "../../settings/shape.ts";

export const DEFAULT_PORT = 32125;

const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;
const NAME_RULE = "use lower-case letters, digits, '.', '_' and '-', at most 64";

const BASE_URLS: Readonly<Record<ProviderKind, string>> = {
  openai: "https://api.openai.com/v1",
  anthropic: "https://api.anthropic.com",
  ollama: "http://127.0.0.1:11434/v1",
  cursor: "",
};

const CURSOR_FIELDS = {
  program: optional(
    text(/^(\/[\w.+\/-]+|agent|cursor-agent)$/, 'write "agent" or an absolute path'),
    "cursor-agent",
  ),
  timeoutSeconds: optional(whole(5, 3600), 300),
  toolMode: optional(oneOf(["openclaw", "agent"]), "openclaw"),
  thinking: optional(flag, false),
  workspace: nullable(text(/^\/[^,\0\n]{0,300}$/, "write an absolute path")),
};
const cursorSettings = record<CursorSettings>(CURSOR_FIELDS);
const noCursor = cursorSettings({}, "", () => {}) as CursorSettings;

interface RawProvider extends Omit<Provider, "name" | "baseUrl"> {
  readonly baseUrl: string | null;
}

/** A model, or all that have no line of their own. */
const ABILITIES_OF = new RegExp(`${MODEL.source}|^\\${ALL_MODELS}$`);

const HEADER = /^[a-z0-9-]{1,60}$/;
const queryValue = text(/^[\w.~:-]{1,100}$/, "write plain text, and no key: keys go to apiKey");
const QUERY_NAME = /^[\w.-]{1,60}$/;
const headerValue = text(PLAIN, "write plain text, and no key: keys go to apiKey");

/** Headers that carry a key at one provider or another. */
const KEY_HEADER =
  /^(authorization|proxy-authorization|cookie|x-api-key|api-key|.*-(key|token|secret))$/;
/** The same in a URL, which ends up in logs on the way. */
const KEY_QUERY = /^(.*[-_.])?(key|token|secret|password)$/i;
/** A value that can be nothing else. */
const KEY_VALUE = /^(bearer|basic) |^(sk|gsk|xai|pk|AIza)[-_A-Za-z0-9]{20}/i;

/** @param headerOf the header that carries such a key, if not the kind's usual one */
function withoutKeys(
  read: Read<Map<string, string>>,
  isKey: (name: string, value: string) => boolean,
  headerOf: (name: string) => string | null,
): Read<Map<string, string>> {
  return then(read, (found, path, report) => {
    const keys = [...found].filter(([name, value]) => isKey(name, value));
    for (const [name] of keys) {
      const header = headerOf(name);
      const form = header === null ? "" : `, "apiKeyHeader": "${header}"`;
      report({
        path: `${path}.${name}`,
        text: "a key does not stand here in plain",
        fix: `remove it; write "apiKey": { "env": "NAME" }${form}, ` +
          "and NAME=KEY into ~/.openclaw/proxy.env",
      });
    }
    return keys.length === 0 ? found : BAD;
  });
}

const headers = withoutKeys(
  mapOf(headerValue, HEADER, "a header in lower case"),
  (name, value) => KEY_HEADER.test(name) || KEY_VALUE.test(value),
  (name) => name === "authorization" || name === "x-api-key" ? null : name,
);

const query = withoutKeys(
  mapOf(queryValue, QUERY_NAME, "a name in a URL's query"),
  (name, value) => KEY_QUERY.test(name) || KEY_VALUE.test(value),
  () => null,
);

const stated: Read<Stated> = then(
  record({
    can: nullable(listOf(oneOf(ABILITIES), 0, ABILITIES.length)),
    maxOutputTokens: nullable(whole(1, 1e9)),
  }),
  ({ can, maxOutputTokens }): Stated => ({
    can: can === null ? null : new Set(can),
    maxOutputTokens,
  }),
);

const provider = record<RawProvider>({
  kind: required(oneOf(["openai", "anthropic", "ollama", "cursor"])),
  baseUrl: nullable(readBaseUrl),
  apiKey: nullable(secretRef),
  apiKeyHeader: nullable(text(HEADER, "write a header in lower case")),
  maxTokensField: nullable(oneOf(["max_tokens", "max_completion_tokens"])),
  query: optional(query, new Map()),
  headers: optional(headers, new Map()),
  models: optional(listOf(text(MODEL, "write a model's id")), []),
  drop: optional(listOf(text(/^\w{1,60}$/, "write a field's name"), 0, 50), []),
  dialect: nullable(oneOf(DIALECT_NAMES)),
  responses: optional(flag, false),
  abilities: optional(mapOf(stated, ABILITIES_OF, "write a model's id, or *"), new Map()),
  cursor: optional(cursorSettings, noCursor),
});

const price = record<Price>({
  input: required(number(0, 1e6)),
  output: required(number(0, 1e6)),
  cacheRead: amount(1e6),
  cacheWrite: amount(1e6),
  cacheWriteHour: amount(1e6),
});

const seconds = (fallback: number, min: number, max: number) =>
  optional(then(number(min, max), (value): number => value * 1000), fallback * 1000);

const timing = record({
  // OpenClaw would begin its own retries after 60 s, or its user would give up.
  deadlineSeconds: seconds(30, 1, 50),
  firstByteSeconds: seconds(20, 0.1, 600),
  responseSeconds: seconds(300, 0.1, 3600),
  idleSeconds: seconds(120, 0.1, 3600),
  heartbeatSeconds: seconds(5, 0.05, 15),
  retries: optional(whole(0, 5), 2),
});
const breaker = record({
  failures: optional(whole(1, 1000), 5),
  windowSeconds: seconds(60, 0.1, 3600),
  openSeconds: seconds(30, 0.05, 3600),
});
/** What an empty object gives. */
function defaults<T>(read: Read<T>): T {
  return read({}, "", () => {}) as T;
}

const file = record({
  port: optional(whole(1, 65535), DEFAULT_PORT),
  allowedHosts: optional(listOf(text(/^[\w.:\[\]-]{1,100}$/, "write a host's name")), []),
  providers: required(mapOf(provider, NAME, NAME_RULE)),
  models: optional(mapOf((value) => value, MODEL, "an alias is a model's name"), new Map()),
  prices: optional(mapOf(price, MODEL, MODEL_RULE), new Map<string, Price>()),
  clients: optional(mapOf(client, NAME, NAME_RULE), new Map()),
  limits: optional(limits, noLimits),
  timing: optional(timing, defaults(timing)),
  breaker: optional(breaker, defaults(breaker)),
  brokenStream: optional(oneOf(["auto", "length", "error"]), "auto"),
  logLevel: optional(oneOf(["error", "info", "debug"]), "info"),
});

/** @returns the configuration, or what is wrong with it */
export function parseConfig(json: unknown): Config | readonly Problem[] {
  const problems: Problem[] = [];
  const report: Report = (problem) => void problems.push(problem);
  const raw = file(json, "", report);
  if (raw === BAD) return problems;
  const providers = new Map(
    [...raw.providers].map(([name, { baseUrl, ...rest }]) =>
      [name, { ...rest, name, baseUrl: baseUrl ?? BASE_URLS[rest.kind] }] as const
    ),
  );
  if (providers.size === 0) {
    report({
      path: "providers",
      text: "is empty",
      fix: 'add one: "openai": {"kind": "openai", …}',
    });
  }
  const routes = readRoutes(raw.models, providers, report);
  reportTwins(raw.clients, report);
  if (problems.length > 0) return problems;
  const { deadlineSeconds, firstByteSeconds, responseSeconds, idleSeconds } = raw.timing;
  return {
    port: raw.port,
    hosts: raw.allowedHosts,
    providers,
    routes,
    prices: raw.prices,
    clients: [...raw.clients].map(([name, client]): Client => ({
      name,
      key: client.key,
      vm: client.vm,
      limits: client.limits ?? raw.limits,
    })),
    limits: raw.limits,
    timing: {
      deadlineMs: deadlineSeconds,
      firstByteMs: firstByteSeconds,
      responseMs: responseSeconds,
      idleMs: idleSeconds,
      retries: raw.timing.retries,
      heartbeatMs: raw.timing.heartbeatSeconds,
    },
    breaker: {
      failures: raw.breaker.failures,
      windowMs: raw.breaker.windowSeconds,
      openMs: raw.breaker.openSeconds,
    },
    brokenStream: raw.brokenStream,
    logLevel: raw.logLevel,
  };
}

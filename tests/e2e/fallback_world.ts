// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The real proxy with a route for each pair of providers, whose doubles are as strict as the real
 * ones about what another provider made. One after the other can be down.
 *
 * @module
 */

import { anthropicError, anthropicSays, SIGNATURE } from "./double_anthropic.ts";
import { ollamaSays } from "./double_ollama.ts";
import { openAiChat, openAiError } from "./double_openai_chat.ts";
import { openAiResponse } from "./double_responses.ts";
import type { Said } from "./double_said.ts";
import { type Play, startUpstream, type Upstream } from "./proxy_upstream.ts";
import { type ProxyWorld, startProxy } from "./proxy_world.ts";

export const KEY = "client-key-of-this-test";

/** gpt serves chat only, res also responses; ant and bnt are two with Anthropic's API. */
export const PROVIDERS = ["gpt", "res", "ant", "bnt", "oll"] as const;
export type Provider = typeof PROVIDERS[number];

const MODELS: Readonly<Record<Provider, string>> = {
  ...{ gpt: "gpt-5", res: "gpt-5", ant: "claude-sonnet-4-5", bnt: "claude-sonnet-4-5" },
  oll: "llama",
};

export interface FallbackWorld extends AsyncDisposable {
  readonly proxy: ProxyWorld;
  readonly upstream: Upstream;
  /** Only `up` answers from now on, and says this. */
  answers(up: Provider, said: Said): void;
  /** Who was asked last, and answered. */
  answered(): string;
}

/** The name of the route that tries these, in this order. */
export const routeOf = (...tries: readonly Provider[]): string => tries.join("-");

const B_SIGNATURE = "QnVzaW5lc3MgY2xhc3Mgc2lnbmF0dXJlIG9mIGFub3RoZXI=";

export async function startFallback(): Promise<FallbackWorld> {
  const upstream = startUpstream();
  const apiKey = { env: "UP" };
  const openAi = (name: string, responses: boolean) => ({
    ...{ kind: "openai", dialect: "openai", responses, apiKey },
    baseUrl: `${upstream.url}/${name}/v1`,
  });
  const anthropic = (name: string) => ({
    ...{ kind: "anthropic", baseUrl: `${upstream.url}/${name}`, apiKey },
  });
  const pairs = PROVIDERS.flatMap((a) =>
    PROVIDERS.filter((b) => b !== a).map((b) => [routeOf(a, b), {
      try: [`${a}/${MODELS[a]}`, `${b}/${MODELS[b]}`],
    }])
  );
  const proxy = await startProxy({
    providers: {
      ...{ gpt: openAi("gpt", false), res: openAi("res", true) },
      ...{ ant: anthropic("ant"), bnt: anthropic("bnt") },
      oll: { kind: "ollama", baseUrl: `${upstream.url}/oll` },
    },
    models: Object.fromEntries(pairs),
    clients: { test: { key: { env: "CLIENT" } } },
    breaker: { failures: 1000 },
    timing: { retries: 0, deadlineSeconds: 20 },
    logLevel: "debug",
  }, { secrets: `UP=sk-upstream-0123456789\nCLIENT=${KEY}\n` });
  return {
    ...{ proxy, upstream },
    answers(up, said) {
      upstream.script = [(request, tools) => {
        const name = nameOf(request.path);
        return name === up ? playOf(up, said)(request, tools) : down(name);
      }];
    },
    answered: () => nameOf(upstream.seen.at(-1)?.path ?? ""),
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await upstream.close();
    },
  };
}

const nameOf = (path: string): string => path.split("/")[1] ?? "";

const down = (name: string): Response =>
  name === "ant" || name === "bnt"
    ? anthropicError(529, "Overloaded")
    : openAiError(503, "Overloaded");

function playOf(provider: Provider, said: Said): Play {
  switch (provider) {
    case "gpt":
      return openAiChat(said);
    case "res":
      return (request, tools) =>
        (request.path.endsWith("/responses") ? openAiResponse : openAiChat)(said)(request, tools);
    case "ant":
      return anthropicSays(said, SIGNATURE);
    case "bnt":
      return anthropicSays(said, B_SIGNATURE);
    case "oll":
      return ollamaSays(said);
    default:
      return provider satisfies never;
  }
}

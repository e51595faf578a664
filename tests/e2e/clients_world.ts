// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The real proxy between the real clients and doubles of all providers: one for all tests of a
 * file, since starting it takes longer than a test. Each test asks for models of its own, so that
 * no target rests for what another test did to it.
 *
 * @module
 */

import { assert } from "@std/assert";
import { anthropicSays } from "./double_anthropic.ts";
import { ollamaSays } from "./double_ollama.ts";
import { openAiChat } from "./double_openai_chat.ts";
import { openAiResponse } from "./double_responses.ts";
import type { Said } from "./double_said.ts";
import { type Play, startUpstream, type Upstream } from "./proxy_upstream.ts";
import { type ProxyWorld, startProxy } from "./proxy_world.ts";

export const SECRET = "sk-upstream-0123456789abcdef";
export const CLIENT_KEY = "client-key-of-this-test";

/** oai serves chat and embeddings, res also responses; ant messages; oll is Ollama. */
export type Via = "oai" | "res" | "ant" | "oll";

export interface ClientsWorld {
  readonly proxy: ProxyWorld;
  readonly upstream: Upstream;
  /** A model of this provider that no test asked for before. */
  model(via: Via, name?: string): string;
  /** What the provider does next; the last one stays. Forgets what it has seen. */
  plays(...script: Play[]): void;
  /** The body that the provider got last. */
  sent(): Record<string, unknown>;
}

export type ClientsTest = (world: ClientsWorld) => Promise<void>;

/** @returns what declares a test in the file's world; the last one is declared with `end` */
export function clientsWorld(timing: Readonly<Record<string, number>> = {}) {
  let world: Promise<ClientsWorld> | null = null;
  // The proxy outlives each test, so what a test leaves open cannot be told from it.
  const loose = { sanitizeOps: false, sanitizeResources: false } as const;
  return {
    test(name: string, run: ClientsTest): void {
      Deno.test({ name, ...loose, fn: async () => await run(await (world ??= start(timing))) });
    },
    /** Stops the proxy, and looks at what it wrote. */
    end(name: string): void {
      Deno.test({
        name: `${name}: none of it was a bug, and no key and no word is in the log`,
        ...loose,
        fn: async () => {
          if (world === null) return;
          const { proxy, upstream } = await world;
          await proxy[Symbol.asyncDispose]();
          await upstream.close();
          assert(!proxy.output().includes('"event":"bug"'), proxy.output());
          for (const word of [SECRET, CLIENT_KEY, "Kraków", "Say hello"]) {
            assert(!proxy.output().includes(word), `${word} is in the log`);
          }
        },
      });
    },
  };
}

async function start(timing: Readonly<Record<string, number>>): Promise<ClientsWorld> {
  const upstream = startUpstream();
  const apiKey = { env: "UP" };
  const openAi = { kind: "openai", baseUrl: `${upstream.url}/v1`, apiKey };
  const proxy = await startProxy({
    providers: {
      oai: { ...openAi, responses: false, models: ["gpt-listed"] },
      res: { ...openAi, responses: true },
      ant: { kind: "anthropic", baseUrl: upstream.url, apiKey, models: ["claude-listed"] },
      oll: { kind: "ollama", baseUrl: upstream.url, models: ["llama-listed"] },
    },
    models: { auto: "oai/gpt-listed" },
    clients: {
      test: { key: { env: "CLIENT" } },
      few: { key: { env: "FEW" }, limits: { requestsPerMinute: 1 } },
    },
    // Failures are what is tested here, and no test is to be refused for those before it.
    breaker: { failures: 1000 },
    timing: {
      ...{ heartbeatSeconds: 0.2, firstByteSeconds: 2, responseSeconds: 2 },
      ...{ deadlineSeconds: 3, idleSeconds: 1.5, retries: 1, ...timing },
    },
    logLevel: "debug",
  }, { secrets: `UP=${SECRET}\nCLIENT=${CLIENT_KEY}\nFEW=few-requests\n` });
  globalThis.addEventListener("unload", () => stopNow(proxy.pid)); // if "end" did not run
  let models = 0;
  return {
    ...{ proxy, upstream },
    model: (via, name = "m") => `${via}/${name}-t${++models}`,
    plays(...script) {
      upstream.seen.length = 0;
      upstream.script = script;
    },
    sent: () => upstream.seen.at(-1)?.body ?? {},
  };
}

function stopNow(pid: number): void {
  try {
    Deno.kill(pid, "SIGTERM");
  } catch {
    // it is gone
  }
}

/** Waits until it is so. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const endMs = performance.now() + 60_000;
  while (!condition()) {
    assert(performance.now() < endMs, `not in a minute: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** What makes the provider behind `via` say this, whatever it is asked. */
export function says(via: Via, said: Said): Play {
  switch (via) {
    case "oai":
    case "res":
      return (request, tools) =>
        (request.path.endsWith("/responses") ? openAiResponse : openAiChat)(said)(request, tools);
    case "ant":
      return anthropicSays(said);
    case "oll":
      return ollamaSays(said);
    default:
      return via satisfies never;
  }
}

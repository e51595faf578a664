// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Programs of others, from npm, between a user and the real proxy, with doubles of an OpenAI, an
 * Anthropic and an Ollama behind it that call a tool and then tell what it said.
 *
 * @module
 */

import { assert } from "@std/assert";
import { anthropicError, anthropicSays } from "../e2e/double_anthropic.ts";
import { ollamaSays } from "../e2e/double_ollama.ts";
import { openAiChat, openAiError } from "../e2e/double_openai_chat.ts";
import { openAiResponse } from "../e2e/double_responses.ts";
import { type Called, records, type Said } from "../e2e/double_said.ts";
import {
  type Play,
  type SeenRequest,
  startUpstream,
  type Upstream,
} from "../e2e/proxy_upstream.ts";
import { type ProxyWorld, startProxy } from "../e2e/proxy_world.ts";

export const KEY = "client-key-of-this-test";
/** What the tool says, and the model repeats. */
export const MARK = "the-tool-was-here-4711";

/** gpt is OpenAI by chat completions, res by responses; ant Anthropic; oll Ollama. */
export const VIAS = ["gpt", "res", "ant", "oll"] as const;
export type Via = typeof VIAS[number];

/** Models that each double has, by the name of the alias that the client asks for. */
const MODELS: Readonly<Record<Via, string>> = {
  ...{ gpt: "gpt/gpt-5.2", res: "res/gpt-5.2", ant: "ant/claude-sonnet-4-5", oll: "oll/llama3.3" },
};

/** The route of those two, of which either answers when the other is down. */
export const routeOf = (a: Via, b: Via): string => `${a}-${b}`;

/** Each two of them. */
export const PAIRS: readonly (readonly [Via, Via])[] = VIAS.flatMap((a, at) =>
  VIAS.slice(at + 1).map((b) => [a, b] as const)
);

/** Codex gives the models it knows tools that others do not get: custom ones, and more namespaces. */
export const CODEX_MODELS: Readonly<Record<string, string>> = {
  ...{ "gpt-6-sol": MODELS.gpt, "gpt-6.1-sol": MODELS.res },
  ...{ "gpt-6-luna": MODELS.ant, "gpt-6-astra": MODELS.oll },
};

/** Which tool is called, of those that the request names, and how. */
export type Pick = (tools: readonly string[], request: SeenRequest) => Called | null;

/** What the doubles do from now on. */
export interface Script {
  readonly pick: Pick;
  /** How often a tool is called before its result is told. */
  readonly times?: number;
  /** What is said when no tool is called any more; without it, whether the result came back. */
  readonly tell?: (request: SeenRequest) => string;
  /** Who answers the first request, the second, and so on, over and over; the others are down then. */
  readonly turns?: readonly Via[];
}

export interface Scene extends AsyncDisposable {
  readonly proxy: ProxyWorld;
  readonly upstream: Upstream;
  /** Forgets what the doubles have seen. */
  plays(script: Script): void;
  /** Requests that a model answered, without counts of tokens. */
  asked(): readonly SeenRequest[];
  /** Who answered them. */
  answered(): readonly string[];
}

export async function startScene(): Promise<Scene> {
  let script: Script = { pick: () => null };
  let called = 0;
  const answered: string[] = [];
  const upstream = startUpstream((request, tools) => {
    const via = viaOf(request);
    const { turns = [], times = 1, pick, tell = tellMark } = script;
    const turn = turns[answered.length % turns.length];
    if (turn !== undefined && turn !== via) return down(via);
    if (!isCount(request)) answered.push(via);
    const call = called < times ? pick(toolNames(request.body), request) : null;
    if (call !== null) called++;
    const said: Said = call === null ? { texts: [tell(request)] } : {
      thinking: "I must look. ",
      texts: ["I look. "],
      calls: [{ ...call, id: call.id + called }],
    };
    return play(request, said)(request, tools);
  });
  const apiKey = { env: "UP" };
  const openAi = (name: string, responses: boolean) => ({
    ...{ kind: "openai", dialect: "openai", responses, apiKey },
    baseUrl: `${upstream.url}/${name}/v1`,
  });
  const pairs = PAIRS.map(([a, b]) => [routeOf(a, b), { try: [MODELS[a], MODELS[b]] }]);
  const proxy = await startProxy({
    providers: {
      ...{ gpt: openAi("gpt", false), res: openAi("res", true) },
      ant: { kind: "anthropic", baseUrl: `${upstream.url}/ant`, apiKey },
      oll: { kind: "ollama", baseUrl: `${upstream.url}/oll` },
    },
    models: { ...MODELS, ...CODEX_MODELS, ...Object.fromEntries(pairs) },
    clients: { test: { key: { env: "CLIENT" } } },
    // Who is down for one request answers the next.
    ...{ breaker: { failures: 1000 }, timing: { retries: 0 } },
    logLevel: "debug",
  }, { secrets: `UP=sk-upstream-0123456789\nCLIENT=${KEY}\n` });
  return {
    ...{ proxy, upstream },
    plays(next) {
      script = next;
      called = answered.length = upstream.seen.length = 0;
    },
    asked: () => upstream.seen.filter((request) => !isCount(request)),
    answered: () => answered,
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await upstream.close();
      assert(!proxy.output().includes('"event":"bug"'), proxy.output());
    },
  };
}

const viaOf = ({ path }: SeenRequest): string => path.split("/")[1] ?? "";
const isCount = ({ path }: SeenRequest): boolean => path.endsWith("/count_tokens");
const down = (via: string): Response =>
  via === "ant" ? anthropicError(529, "Overloaded") : openAiError(503, "Overloaded");

/** Tells what the tool said. */
const tellMark = ({ text }: SeenRequest): string =>
  text.includes(MARK) && hasResult(text) ? `The tool says ${MARK}` : "Hello.";

function play(request: SeenRequest, said: Said): Play {
  switch (viaOf(request)) {
    case "ant":
      return anthropicSays(said);
    case "oll":
      return ollamaSays(said);
    default:
      return request.path.endsWith("/responses") ? openAiResponse(said) : openAiChat(said);
  }
}

const hasResult = (text: string): boolean =>
  /"role":"tool"|"type":"tool_result"|"type":"(function|custom_tool|local_shell)_call_output"/.test(
    text,
  );

type Json = Readonly<Record<string, unknown>>;

/** Names of all tools, whatever the API; those of a namespace behind it and two bars. */
function toolNames(body: Json): string[] {
  const brought = records(body["input"]).flatMap(({ tools }) => records(tools));
  return [...records(body["tools"]), ...brought].flatMap((tool) => namesOf(tool, ""));
}

function namesOf(tool: Json, prefix: string): string[] {
  if (tool["type"] === "namespace") {
    return records(tool["tools"]).flatMap((inner) => namesOf(inner, `${tool["name"]}__`));
  }
  const called = records([tool["function"]])[0] ?? tool;
  return typeof called["name"] === "string" ? [prefix + called["name"]] : [];
}

/** Where "make clients" installed the programs. */
export const CLIENTS = Deno.env.get("QUBES_CLAW_CLIENTS") ??
  new URL("../../.cache/clients", import.meta.url).pathname;

export const NODE = `${CLIENTS}/node_modules/node/bin/node`;

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** In a folder of its own, with no setting and no key of whoever runs the test. */
export async function run(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  cwd: string,
): Promise<Ran> {
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    env: { PATH: Deno.env.get("PATH") ?? "", HOME: cwd, ...env },
    clearEnv: true,
    stdin: "null",
    cwd,
  }).output();
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

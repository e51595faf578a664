// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The chain as it is installed, on loopback: real gateway, real proxy, doubles of the providers.
 * Both configurations are the templates, filled; what differs is said here.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { within } from "../../shared/io/timing.ts";
import { fillTemplate } from "../../vm/setup/fill_template.ts";
import { startUpstream, type Upstream } from "../e2e/proxy_upstream.ts";
import { type ProxyWorld, startProxy } from "../e2e/proxy_world.ts";
import { answers } from "./agent_upstream.ts";
import { type GatewaySocket, openGateway, startTurn } from "./gateway_socket.ts";
import {
  freePort,
  type Gateway,
  type OpenClawHome,
  openClawHome,
  startGateway,
} from "./real_openclaw.ts";

/** Silence after which OpenClaw gives an upstream up; its usual 300 s take too long to wait for. */
export const OPENCLAW_PATIENCE_S = 8;

/** The models of openclaw-multi.json, one for each API. */
export const MODELS = {
  chat: "proxy-chat/auto",
  responses: "proxy-responses/gpt-6-sol",
  messages: "proxy/claude-sonnet-5",
  ollama: "proxy-chat/ollama/gpt-oss:20b",
} as const;

/** What the proxy logged of the requests that it took from OpenClaw, when they are that many. */
export async function requestsSeen(
  { proxy }: ClawScene,
  atLeast: number,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const taken = (): string[] =>
    proxy.output().split("\n").filter((line) => /"event":"(request|refused)"/.test(line));
  for (let left = 40; left > 0 && taken().length < atLeast; left--) {
    await delay(50); // the log is written beside the answer
  }
  return taken().map((line) => JSON.parse(line));
}

export const say = ({ socket }: ClawScene, model: string): Promise<string> =>
  startTurn(socket, model, "say hello").text;

export interface Case {
  readonly name: string;
  run(scene: ClawScene): Promise<void>;
}

/** Models behind which there is no other one. */
const ALONE = ["anthropic/claude-sonnet-5", "openai/gpt-6-sol"];

export interface ClawScene {
  readonly place: OpenClawHome;
  readonly gateway: Gateway;
  readonly socket: GatewaySocket;
  proxy: ProxyWorld;
  /** Anthropic's, OpenAI's and Ollama's double. */
  readonly anthropic: Upstream;
  readonly openai: Upstream;
  readonly ollama: Upstream;
  startProxy(secrets?: string, only?: Double): Promise<void>;
  stopProxy(): Promise<void>;
  /**
   * A proxy that knows nothing of earlier failures, and doubles that answer.
   *
   * @param only who is asked, whatever model OpenClaw names
   */
  fresh(secrets?: string, only?: Double): Promise<void>;
  end(): Promise<void>;
}

const SECRETS = "ANTHROPIC_API_KEY=sk-anthropic-1\nOPENAI_API_KEY=sk-openai-1\n";

export async function clawScene(cgroup: string | null): Promise<ClawScene> {
  const [anthropic, openai, ollama] = [startUpstream(), startUpstream(), startUpstream()];
  const doubles = { anthropic, openai, ollama };
  const proxyPort = freePort();
  const start = (secrets?: string, only?: Double): Promise<ProxyWorld> =>
    startProxy(proxyConfig(proxyPort, doubles, only), {
      ...{ secrets: secrets ?? SECRETS, environment: { OPENCLAW_PROXY_PORT: String(proxyPort) } },
    });
  const proxy = await start();
  const place = await openClawHome({
    ...{ template: "multi", proxyPort, gatewayPort: freePort(), change: forTests },
  });
  const gateway = await startGateway(place, cgroup);
  const socket = await openGateway(place);
  const scene: ClawScene = {
    ...{ place, gateway, socket, proxy, ...doubles },
    async startProxy(secrets, only) {
      scene.proxy = await start(secrets, only);
    },
    stopProxy: async () => await scene.proxy[Symbol.asyncDispose](),
    async fresh(secrets, only) {
      anthropic.script = [answers("from anthropic")];
      openai.script = [answers("from openai")];
      ollama.script = [answers("from ollama")];
      for (const { seen } of Object.values(doubles)) seen.length = 0;
      await scene.stopProxy();
      await scene.startProxy(secrets, only);
    },
    async end() {
      await socket[Symbol.asyncDispose]();
      await gateway.stop();
      await scene.stopProxy();
      await place[Symbol.asyncDispose]();
      // One that was left while it was silent may not know it yet.
      await within(2000, Promise.all(Object.values(doubles).map((one) => one.close())));
    },
  };
  return scene;
}

/** The model of each double. */
export const DOUBLES = {
  anthropic: "anthropic/claude-sonnet-5",
  openai: "openai/gpt-6-sol",
  ollama: "ollama/gpt-oss:20b",
} as const;

export type Double = keyof typeof DOUBLES;

interface ProxyTemplate {
  readonly providers: Record<string, Record<string, unknown>>;
  readonly models: Record<string, unknown>;
}

function proxyConfig(
  port: number,
  doubles: Record<Double, Upstream>,
  only?: Double,
): unknown {
  const path = new URL("../../vm/openclaw/proxy-multi.json", import.meta.url);
  const template = JSON.parse(Deno.readTextFileSync(path));
  const config = fillTemplate(template, { PROXY_PORT: port }) as ProxyTemplate;
  const { providers, models } = config;
  if (only !== undefined) {
    for (const name of Object.values(MODELS)) {
      models[name.slice(name.indexOf("/") + 1)] = { try: [DOUBLES[only]] };
    }
  }
  providers["anthropic"] = { ...providers["anthropic"], baseUrl: doubles.anthropic.url };
  providers["openai"] = { ...providers["openai"], baseUrl: `${doubles.openai.url}/v1` };
  providers["ollama"] = { ...providers["ollama"], baseUrl: doubles.ollama.url };
  return config;
}

interface OpenClawProvider {
  timeoutSeconds: number;
  readonly models: unknown[];
}

function forTests(config: Record<string, unknown>): void {
  const { providers } = config["models"] as { providers: Record<string, OpenClawProvider> };
  for (const one of Object.values(providers)) one.timeoutSeconds = OPENCLAW_PATIENCE_S;
  // A heartbeat's turn would be counted with those of a test.
  const { defaults } = config["agents"] as { defaults: Record<string, unknown> };
  defaults["heartbeat"] = { every: "0m" };
  const one = providers["proxy-chat"];
  for (const id of ALONE) one?.models.push({ id, name: id, contextWindow: 200_000 });
}

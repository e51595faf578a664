// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The ways to the model's double: directly, through a server that does nothing but pass on, through
 * openclaw-proxy, through Portkey's gateway.
 *
 * @module
 */

import { startProxy } from "../e2e/proxy_world.ts";
import { PROJECT } from "../e2e/program_flags.ts";
import { openConnection, post } from "./http_client.ts";

export type WayName = "direct" | "bare" | "ours" | "capped" | "portkey";

export const WAY_TEXT: Readonly<Record<WayName, string>> = {
  direct: "direct",
  bare: "a bare pass-through in Deno",
  ours: "openclaw-proxy",
  capped: "openclaw-proxy with caps",
  portkey: "Portkey",
};

export interface Way {
  readonly name: WayName;
  readonly port: number;
  readonly pid: number;
  /** The request for a model of the double, as this way takes it. */
  request(model: string, stream: boolean, more?: Readonly<Record<string, unknown>>): Uint8Array;
  stop(): Promise<void>;
}

const PATH = "/v1/chat/completions";
const CLIENT_KEY = "sk-bench-0123456789abcdef";

function requestOf(
  model: (name: string) => string,
  headers: Readonly<Record<string, string>>,
): Way["request"] {
  return (name, stream, more = { messages: [{ role: "user", content: "hi" }] }) =>
    post(PATH, JSON.stringify({ model: model(name), stream, ...more }), headers);
}

export const startDouble = (): Promise<Way> => startServer("direct", "model-double.ts");

export const bareWay = ({ port }: Way): Promise<Way> =>
  startServer("bare", "pass-through.ts", String(port));

/** A server of the bench's own, which prints where it listens. */
async function startServer(
  name: WayName,
  program: string,
  ...args: readonly string[]
): Promise<Way> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--no-check", `${PROJECT}/tests/bench/${program}`, ...args],
    ...{ stdin: "piped", stdout: "piped" },
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value } = await reader.read();
  const { port, pid } = JSON.parse(value ?? "") as { port: number; pid: number };
  return {
    ...{ name, port, pid, request: requestOf((model) => model, {}) },
    async stop() {
      await child.stdin.close();
      await reader.cancel();
      await child.status;
    },
  };
}

/** Our own, as it is installed: no clients, or one with a key and caps. */
export async function ownWay(double: Way, name: "ours" | "capped"): Promise<Way> {
  const limits = { spendPerDay: 1e6, spendPerMonth: 1e6, tokensPerDay: 1e12 };
  const models = ["stream-1-0", "stream-3-0", "stream-50-5", "stream-2000-0"];
  const price = { input: 1, output: 1 };
  const proxy = await startProxy({
    providers: {
      up: { kind: "openai", baseUrl: `http://127.0.0.1:${double.port}/v1`, apiKey: { env: "UP" } },
    },
    ...name === "capped" && {
      clients: { bench: { key: { env: "BENCH" }, limits } },
      prices: Object.fromEntries(models.map((model) => [`up/${model}`, price])),
    },
  }, { secrets: `UP=sk-upstream-0123456789\nBENCH=${CLIENT_KEY}\n` });
  return {
    ...{ name, port: Number(new URL(proxy.url).port), pid: proxy.pid },
    request: requestOf((model) => `up/${model}`, { authorization: `Bearer ${CLIENT_KEY}` }),
    stop: () => proxy[Symbol.asyncDispose](),
  };
}

const PORTKEY = "@portkey-ai/gateway";
const PORTKEY_VERSION = "1.15.2";
/** With a later one every stream of that version ends in "TypeError: immutable" (its own server). */
const PORTKEY_SERVER = { "@hono/node-server": "1.14.1" };
const PORTKEY_FOLDER = `${PROJECT}/.cache/portkey`;

/** Its program listens on every address; nothing here may. */
const LOOPBACK_ONLY = `data:text/javascript,${
  encodeURIComponent(
    'import net from "node:net"; const { listen } = net.Server.prototype;' +
      "net.Server.prototype.listen = function (port, ...rest) {" +
      ' return listen.call(this, { port, host: "127.0.0.1" }, rest.find((one) => typeof one === "function")); };',
  )
}`;

/** @returns why it cannot be, as a text */
export async function portkeyWay(double: Way): Promise<Way | string> {
  const program = `${PORTKEY_FOLDER}/node_modules/${PORTKEY}/build/start-server.js`;
  const missing = await installPortkey(program);
  if (missing !== null) return missing;
  const port = freePort();
  const child = new Deno.Command("node", {
    args: [`--import=${LOOPBACK_ONLY}`, program, `--port=${port}`, "--headless"],
    env: { NODE_ENV: "production" },
    ...{ stdin: "null", stdout: "null", stderr: "null" },
  }).spawn();
  await listening(port);
  const headers = {
    "x-portkey-provider": "openai",
    "x-portkey-custom-host": `http://127.0.0.1:${double.port}/v1`,
    authorization: "Bearer sk-upstream-0123456789",
  };
  return {
    ...{ name: "portkey", port, pid: child.pid, request: requestOf((name) => name, headers) },
    async stop() {
      child.kill("SIGTERM");
      await child.status;
    },
  };
}

/** @returns null if it is there, else why not */
async function installPortkey(program: string): Promise<string | null> {
  const there = await Deno.stat(program).then(() => true, () => false);
  if (there) return null;
  const args = ["install", "--no-save", "--no-audit", "--no-fund", "--prefix", PORTKEY_FOLDER];
  const project = JSON.stringify({ private: true, overrides: PORTKEY_SERVER });
  try {
    await Deno.mkdir(PORTKEY_FOLDER, { recursive: true });
    await Deno.writeTextFile(`${PORTKEY_FOLDER}/package.json`, project);
    const npm = new Deno.Command("npm", { args: [...args, `${PORTKEY}@${PORTKEY_VERSION}`] });
    const { success, stderr } = await npm.output();
    return success ? null : `npm failed: ${new TextDecoder().decode(stderr).slice(0, 300)}`;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "npm is not there";
    throw error;
  }
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function listening(port: number): Promise<void> {
  for (let tries = 0;; tries++) {
    try {
      using _ = await openConnection(port);
      return;
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionRefused) || tries > 200) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

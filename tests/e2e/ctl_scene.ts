// SPDX-License-Identifier: GPL-2.0-or-later
/** An agent VM in which all is well: the real openclaw-ctl and openclaw-proxy, doubles of the rest. @module */

import { assert, assertEquals } from "@std/assert";
import {
  createCtlWorld,
  type CtlWorld,
  GATEWAY_TOKEN,
  type GatewayDouble,
  HOOKS_TOKEN,
  type Ran,
  startGateway,
} from "./ctl_world.ts";
import { says, startUpstream, type Upstream } from "./proxy_upstream.ts";
import { type ProxyWorld, startProxy } from "./proxy_world.ts";

export const KEY = "sk-of-the-upstream-0123456789";

export interface Scene extends AsyncDisposable {
  readonly world: CtlWorld;
  readonly gateway: GatewayDouble;
  readonly proxy: ProxyWorld;
  readonly upstream: Upstream;
  /** Runs it, and checks that it shows no secret. */
  run(...words: readonly string[]): Promise<Ran>;
  json(...words: readonly string[]): Promise<Record<string, unknown>>;
}

/** An agent VM in which all is well. */
export async function scene(settings: Record<string, unknown> = {}): Promise<Scene> {
  const world = await createCtlWorld();
  const gateway = startGateway();
  const upstream = startUpstream(says("ok"));
  const proxy = await startProxy({
    providers: {
      a: { kind: "openai", baseUrl: `${upstream.url}/v1`, apiKey: { env: "A" }, models: ["m"] },
    },
    models: { auto: { try: ["a/m"] } },
    prices: { "a/m": { input: 1000, output: 10000 } },
  }, { secrets: `A=${KEY}\n` });
  const proxyPort = Number(new URL(proxy.url).port);
  await world.settings({
    ...{ role: "agent", provider: "multi", units: "user", proxyPort, gatewayPort: gateway.port },
    ...settings,
  });
  const run = async (...words: readonly string[]): Promise<Ran> => {
    const ran = await world.ctl(...words);
    for (const secret of [GATEWAY_TOKEN, HOOKS_TOKEN, KEY, "sk-very-secret"]) {
      assert(!(ran.stdout + ran.stderr).includes(secret), `a secret: ${ran.stdout}${ran.stderr}`);
    }
    assert(!ran.stderr.includes("bug:"), ran.stderr);
    // Nothing else reaches a terminal.
    assert(!/[^\x20-\x7e\n]/.test(ran.stdout + ran.stderr), JSON.stringify(ran));
    return ran;
  };
  return {
    ...{ world, gateway, proxy, upstream, run },
    async json(...words) {
      const ran = await run(...words, "--json");
      const value = JSON.parse(ran.stdout);
      assertEquals([value.schema, value.command], [1, words[0]]);
      assertEquals(value.ok, ran.code === 0, ran.stdout);
      return value;
    },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await upstream.close();
      await gateway[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
    },
  };
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** The templates fit each other, the proxy's own parser, and the rules that hold for all of them. @module */

import { assert, assertEquals } from "@std/assert";
import { resolveModel } from "../../../vm/proxy/route/models.ts";
import { parseConfig } from "../../../vm/proxy/config/parse_config.ts";
import { affordable } from "../../../vm/proxy/books/prices.ts";
import { targetName } from "../../../vm/proxy/config/config.ts";
import { fillTemplate } from "../../../vm/setup/fill_template.ts";
import type { Config } from "../../../vm/proxy/config/config.ts";

const FOLDER = new URL("../../../vm/openclaw/", import.meta.url);
const VALUES = {
  ...{ HOME: "/home/user", PROXY_PORT: 32126, GATEWAY_PORT: 18790 },
  HOOKS_TOKEN: "0123456789abcdef".repeat(4),
  ...{ BASE_URL: "https://models.example/v1", MODEL: "m" },
};
/** Each has an openclaw.json of its own; "compatible" has what every proxy answers to. */
const NAMED = ["cursor", "openai", "anthropic", "ollama", "multi"] as const;
const CHOICES = [...NAMED, "compatible"] as const;

interface Gateway {
  readonly models: { readonly providers: Readonly<Record<string, OpenClawProvider>> };
  readonly agents: { readonly defaults: { readonly model: { readonly primary: string } } };
}
interface OpenClawProvider {
  readonly baseUrl: string;
  readonly api: string;
  readonly apiKey?: unknown;
  readonly models: readonly { readonly id: string }[];
}

const raw = (name: string): string => Deno.readTextFileSync(new URL(`${name}.json`, FOLDER));
const gateway = (name: string): Gateway =>
  fillTemplate(JSON.parse(raw(`openclaw-${name}`)), VALUES) as Gateway;

function proxy(name: string): Config {
  const parsed = parseConfig(fillTemplate(JSON.parse(raw(`proxy-${name}`)), VALUES));
  assert("providers" in parsed, JSON.stringify(parsed));
  return parsed;
}

Deno.test("there is a template of each kind, and no other", () => {
  const names = [...Deno.readDirSync(FOLDER)].map(({ name }) => name)
    .filter((name) => name.endsWith(".json")).toSorted();
  const wanted = [
    ...[...NAMED, "auto"].map((name) => `openclaw-${name}.json`),
    ...CHOICES.map((name) => `proxy-${name}.json`),
  ];
  assertEquals(names, wanted.toSorted());
});

for (const name of CHOICES) {
  Deno.test(`proxy-${name}.json: the proxy takes it, and each target has a price or needs none`, () => {
    const config = proxy(name);
    assertEquals(config.port, VALUES.PROXY_PORT);
    assert(config.routes.has("auto"), "whoever asks for auto is served");
    for (const [alias, route] of config.routes) {
      const paid = affordable(route, config.limits, config);
      assertEquals(paid.flat().map(targetName), route.flat().map(targetName), alias);
    }
    for (const { apiKey } of config.providers.values()) {
      assert(apiKey === null || apiKey.from === "env", "a key by reference");
    }
  });
}

for (const name of NAMED) {
  Deno.test(`openclaw-${name}.json asks only for models that proxy-${name}.json has`, () => {
    for (const { models } of Object.values(gateway(name).models.providers)) {
      for (const { id } of models) assert(resolveModel(id, proxy(name)) !== null, id);
    }
  });
}

Deno.test("openclaw-auto.json asks for what every proxy has", () => {
  for (const { models } of Object.values(gateway("auto").models.providers)) {
    for (const { id } of models) {
      for (const choice of CHOICES) assert(resolveModel(id, proxy(choice)) !== null, choice);
    }
  }
});

for (const name of [...NAMED, "auto"]) {
  Deno.test(`openclaw-${name}.json: the proxy is its only provider, and it holds no key`, () => {
    const { models, agents } = gateway(name);
    for (const provider of Object.values(models.providers)) {
      const { origin } = new URL(provider.baseUrl);
      assertEquals(origin, `http://127.0.0.1:${VALUES.PROXY_PORT}`);
      assertEquals(provider.apiKey, undefined);
      // The one adds /v1 itself, the others take the base as it is.
      assertEquals(provider.baseUrl.endsWith("/v1"), provider.api !== "anthropic-messages");
    }
    const [provider = "", ...model] = agents.defaults.model.primary.split("/");
    const ids = models.providers[provider]?.models.map(({ id }) => id) ?? [];
    assert(ids.includes(model.join("/")), "its first model is one of its own");
  });

  Deno.test(`openclaw-${name}.json differs from the others only in its models`, () => {
    const common = (which: string): unknown => {
      const { models, agents, ...rest } = gateway(which);
      return {
        ...rest,
        models: { ...models, providers: null },
        agents: { ...agents, defaults: { ...agents.defaults, model: null } },
      };
    };
    assertEquals(common(name), common("cursor"));
  });
}

Deno.test("what a gateway in a VM must not do is off", () => {
  const all = gateway("multi") as unknown as Record<string, Record<string, unknown>>;
  const off: Record<string, unknown> = { ...all, ...all["gateway"] };
  assertEquals(off["bind"], "loopback");
  assertEquals(off["port"], VALUES.GATEWAY_PORT);
  assertEquals(off["terminal"], { enabled: false });
  assertEquals(off["nodes"], { pairing: { autoApproveLocal: false, sshVerify: false } });
  assertEquals(off["telemetry"], { enabled: false });
  assertEquals(off["update"], { checkOnStart: false, auto: { enabled: false } });
  assertEquals(off["discovery"], { mdns: { mode: "off" } });
  assertEquals(off["auth"], {
    mode: "token",
    token: { source: "file", provider: "gatewaytoken", id: "value" },
  });
});

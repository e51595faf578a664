// SPDX-License-Identifier: GPL-2.0-or-later
/** Every mistake in a configuration is named by its path; what is right becomes values. @module */

import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { UserError } from "../../../../shared/cli/program.ts";
import { fromOriginal } from "../../../../vm/proxy/config/original_config.ts";
import { parseConfig } from "../../../../vm/proxy/config/parse_config.ts";
import { permissionFlags } from "../../../../vm/proxy/config/permissions.ts";

const ONE = { providers: { o: { kind: "openai", apiKey: { env: "O" } } } };

const WRONG: readonly (readonly [path: string, config: unknown])[] = [
  ["", []],
  ["providers", {}],
  ["providers", { providers: {} }],
  ["providers.X", { providers: { X: { kind: "openai" } } }],
  ["providers.o.kind", { providers: { o: {} } }],
  ["providers.o.kind", { providers: { o: { kind: "OpenAI" } } }],
  ["providers.o.apiKey", { providers: { o: { kind: "openai", apiKey: "sk-123" } } }],
  ["providers.o.apiKey.env", { providers: { o: { kind: "openai", apiKey: { env: "a b" } } } }],
  ["providers.o.apiKey.command[0]", {
    providers: { o: { kind: "openai", apiKey: { command: ["pass"] } } },
  }],
  ["providers.o.apiKey.qrexec", {
    providers: { o: { kind: "openai", apiKey: { qrexec: "a b" } } },
  }],
  ["providers.o.baseUrl", { providers: { o: { kind: "openai", baseUrl: "ftp://x" } } }],
  ["providers.o.baseUrl", { providers: { o: { kind: "openai", baseUrl: "http://x.org/v1" } } }],
  ["providers.o.baseUrl", { providers: { o: { kind: "openai", baseUrl: "https://k@x.org" } } }],
  ["providers.o.baseUrl", { providers: { o: { kind: "openai", baseUrl: "https://a,b/v1" } } }],
  ...["/chat/completions", "/messages/", "/responses", "/embeddings", "/models"].map((
    end,
  ): [string, unknown] => ["providers.o.baseUrl", {
    providers: { o: { kind: "openai", baseUrl: `https://x.org/v1${end}` } },
  }]),
  ["providers.o.baseUrl", {
    providers: { o: { kind: "ollama", baseUrl: "http://127.0.0.1:11434/api/chat" } },
  }],
  ...[["authorization", "Bearer x"], ["api-key", "x"], ["x-goog-api-key", "x"], [
    "x-other",
    "sk-123456789012345678901234",
  ]].map(([name = "", value]): [string, unknown] => [`providers.o.headers.${name}`, {
    providers: { o: { kind: "openai", headers: { [name]: value } } },
  }]),
  ...[["key", "x"], ["api_key", "x"], ["subscription-key", "x"], [
    "v",
    "AIzaSyA0123456789abcdefghijk",
  ]]
    .map(([name = "", value]): [string, unknown] => [`providers.o.query.${name}`, {
      providers: { o: { kind: "openai", query: { [name]: value } } },
    }]),
  ["models.auto", { ...ONE, models: { auto: "p/m" } }],
  ["models.auto.try", { ...ONE, models: { auto: { try: [] } } }],
  ["models.auto.try[1]", { ...ONE, models: { auto: { try: ["o/m", "nobody/m"] } } }],
  ["models.auto.try[0][1].weight", {
    ...ONE,
    models: { auto: { try: [["o/m", { model: "o/n", weight: -1 }]] } },
  }],
  ["limits.spendPerDay", { ...ONE, limits: { spendPerDay: "5" } }],
  ["prices.o/m.output", { ...ONE, prices: { "o/m": { input: 1 } } }],
  ["timing.deadlineSeconds", { ...ONE, timing: { deadlineSeconds: 60 } }],
  ["timing.heartbeatSeconds", { ...ONE, timing: { heartbeatSeconds: 16 } }],
  ["clients.x", { ...ONE, clients: { x: {} } }],
  ["clients.x.vm", { ...ONE, clients: { x: { vm: "a b" } } }],
  ["clients.x.vm", { ...ONE, clients: { x: { vm: "../claw" } } }],
  ["clients.x.vm", { ...ONE, clients: { x: { vm: "dom0" } } }],
  ["clients.y.vm", { ...ONE, clients: { x: { vm: "claw" }, y: { vm: "claw" } } }],
  ["port", { ...ONE, port: 70000 }],
  ["prot", { ...ONE, prot: 1 }],
];

for (const [path, config] of WRONG) {
  Deno.test(`wrong: ${JSON.stringify(config).slice(0, 100)}`, () => {
    const problems = parseConfig(config);
    assert(!("providers" in problems), "it is taken");
    assertEquals(problems.map((one) => one.path), [path]);
    assert(problems.every(({ fix }) => fix !== ""));
    assert(!/sk-123|AIza/.test(JSON.stringify(problems)), "a key in an error");
  });
}

Deno.test("all problems are told at once, and __proto__ is no exception", () => {
  const problems = parseConfig(JSON.parse('{"__proto__": {"x": 1}, "port": 0, "a": 1}'));
  assert(!("providers" in problems));
  assertEquals(problems.map(({ path }) => path).toSorted(), [
    ...["__proto__", "a", "port", "providers"],
  ]);
});

Deno.test("hosts and programs come from the configuration, in words that a shell leaves alone", () => {
  const config = parseConfig({
    providers: {
      o: {
        kind: "openai",
        baseUrl: "https://llm.example:8443/v1",
        apiKey: { command: ["/usr/bin/pass"] },
      },
      l: { kind: "ollama", baseUrl: "http://10.137.0.9:11434", apiKey: { qrexec: "x.Key+a" } },
      c: { kind: "cursor" },
    },
    clients: { one: { vm: "claw" }, two: { vm: "claw", key: { env: "TWO" } } },
  });
  assert("providers" in config);
  const flags = permissionFlags(config, 32125, "/home/user/.openclaw/vm-sockets");
  assertEquals(flags, [
    "--allow-net=127.0.0.1:32125,api.openai.com:443,api.anthropic.com:443,127.0.0.1:11434," +
    "llm.example:8443,10.137.0.9:11434,unix:/home/user/.openclaw/vm-sockets/claw.sock",
    "--allow-run=timeout,/usr/bin/pass,qrexec-client-vm",
  ]);
  assert(flags.every((flag) => /^[\w.,:=\/\[\]-]+$/.test(flag)));
  assert(!permissionFlags(config, 32125, null).join().includes("unix:"), "an older Deno");
  const underSystemd = permissionFlags(config, 32125, null, true).join(" ");
  assertStringIncludes(underSystemd, "--allow-run=systemd-notify,timeout,");
  assertThrows(() => permissionFlags(config, 32125, "/home/a b/x"), UserError, "plain name");
});

Deno.test("the original's file and variables become the same as a proxy.json", () => {
  const made = fromOriginal(
    { port: 4000, tool_mode: "proxy-exec", timeout_ms: 60_001, workspace: "~/work" },
    (name) => name === "OPENCLAW_CURSOR_DEFAULT_MODEL" ? "opus" : undefined,
    "/home/user",
  );
  assert("proxyJson" in made);
  const config = parseConfig(made.proxyJson);
  assert("providers" in config, JSON.stringify(config));
  assertEquals(config.port, 4000);
  const cursor = config.providers.get("cursor")?.cursor;
  assertEquals([cursor?.toolMode, cursor?.timeoutSeconds, cursor?.workspace], [
    ...["agent", 61, "/home/user/work"],
  ]);
  assertEquals(config.routes.get("auto")?.[0]?.[0]?.model, "opus");
  const bad = fromOriginal({ prot: 1, timeout_ms: "x" }, () => undefined, "/");
  assert(!("proxyJson" in bad));
  assertEquals(bad.map(({ path }) => path), ["prot", "timeout_ms"]);
});

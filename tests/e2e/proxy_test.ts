// SPDX-License-Identifier: GPL-2.0-or-later
/** openclaw-proxy, the real program, between a client and doubles of its providers. @module */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { freePort } from "./free_port.ts";
import { until } from "./installed.ts";
import {
  delta,
  DONE,
  fails,
  hangs,
  messageEvents,
  ROLE,
  says,
  saysMessage,
  sse,
  startUpstream,
  STOP,
  type Upstream,
  USAGE,
} from "./proxy_upstream.ts";
import { proxyCommand, type ProxyWorld, startProxy, type WorldOptions } from "./proxy_world.ts";
import { writeExecutable } from "../executable.ts";

const KEY = "sk-secret-0123456789abcdef";
const TRACE = { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" };

interface Scene extends AsyncDisposable {
  readonly proxy: ProxyWorld;
  readonly a: Upstream;
  readonly b: Upstream;
}

/** Two providers of OpenAI's kind, a before b. */
async function scene(
  more: Record<string, unknown> = {},
  options: WorldOptions = {},
): Promise<Scene> {
  const a = startUpstream(says("from a"));
  const b = startUpstream(says("from b"));
  const proxy = await startProxy(twoProviders(a, b, more), {
    secrets: `A_KEY=${KEY}\n`,
    ...options,
  });
  return {
    ...{ proxy, a, b },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      assert(!proxy.output().includes(KEY), "a secret in the log");
      assert(!proxy.output().includes('"bug"'), proxy.output());
      await Promise.all([a.close(), b.close()]);
    },
  };
}

function twoProviders(a: Upstream, b: Upstream, more: Record<string, unknown> = {}) {
  return {
    providers: {
      a: { kind: "openai", baseUrl: `${a.url}/v1`, apiKey: { env: "A_KEY" }, models: ["m"] },
      b: { kind: "openai", baseUrl: `${b.url}/v1` },
      c: { kind: "anthropic", baseUrl: b.url, apiKey: { env: "A_KEY" } },
    },
    models: { auto: { try: ["a/m", "b/n"] } },
    timing: { heartbeatSeconds: 0.2, firstByteSeconds: 1, deadlineSeconds: 5, idleSeconds: 1 },
    ...more,
  };
}

Deno.test("a stream is passed on byte for byte, with the key that the client does not know", async () => {
  await using world = await scene();
  const { proxy, a } = world;
  const text = [ROLE, delta("x"), STOP, USAGE, DONE].join("");
  a.script = [(_, { gone }) => sse([text], gone)];
  const answer = await proxy.chat({ model: "auto", stream: true }, {
    headers: { ...TRACE, authorization: "Bearer of-the-client" },
  });
  assertEquals(answer.status, 200);
  assertEquals(await answer.text(), text);
  assertEquals(answer.headers.get("content-type"), "text/event-stream");
  assert((answer.headers.get("x-request-id") ?? "").length >= 16);
  assertEquals(a.seen[0]?.headers.get("authorization"), `Bearer ${KEY}`);
  assertEquals(a.seen[0]?.body["model"], "m");
  assertEquals(a.seen[0]?.headers.get("traceparent"), TRACE.traceparent);
  const line = JSON.parse(await proxy.logged((one) => one.includes('"event":"request"')));
  assertEquals([line.traceparent, line.target, line.input, line.output, line.end], [
    ...[TRACE.traceparent, "a/m", 1000, 100, "complete"],
  ]);
  assert(!proxy.output().includes("hi"), "a body in the log");
});

Deno.test("each piece of a stream comes when the upstream sends it", async () => {
  await using world = await scene();
  const { proxy, a } = world;
  const second = Promise.withResolvers<void>();
  a.script = [
    (_, { gone }) => sse([ROLE + delta("1"), second.promise, delta("2"), STOP, DONE], gone),
  ];
  const answer = await proxy.chat({ model: "auto", stream: true });
  const reader = answer.body?.getReader();
  const first = new TextDecoder().decode((await reader?.read())?.value);
  assertStringIncludes(first, '"1"'); // and the second is not sent yet
  second.resolve();
  let rest = "";
  for (let got; !(got = await reader?.read())?.done;) rest += new TextDecoder().decode(got?.value);
  assertStringIncludes(rest, '"2"');
});

for (
  const [name, play] of [
    ["503", fails(503)],
    ["429", fails(429, "slow", { "retry-after": "3600" })],
    [
      "401",
      fails(401, `Incorrect API key provided: ${KEY}`),
    ],
    ["402", fails(402)],
    ["403", fails(403)],
    ["a hanging upstream", hangs],
  ] as const
) {
  Deno.test(`${name}: the next provider answers, and the client sees nothing of it`, async () => {
    await using world = await scene();
    const { proxy, a, b } = world;
    a.script = [play];
    const answer = await proxy.chat({ model: "auto", stream: true });
    const text = await answer.text();
    assertEquals(answer.status, 200);
    assertStringIncludes(text, "from b");
    assertEquals([a.seen.length, b.seen.length], [1, 1]);
    assertEquals(b.seen[0]?.headers.get("authorization"), null, "a's key went to b");
  });
}

for (
  const [status, want] of [
    [401, 404],
    [402, 400],
    [403, 404],
    [413, 400],
    [404, 404],
    [400, 400],
    [
      503,
      503,
    ],
    [429, 503],
    [529, 503],
    [500, 503],
  ] as const
) {
  Deno.test(`an only upstream's ${status} is ${want} for the client`, async () => {
    await using world = await scene({ timing: { retries: 1, deadlineSeconds: 2 } });
    const { proxy, a } = world;
    a.script = [fails(status, `about ${KEY}`)];
    const answer = await proxy.chat({ model: "a/m", stream: true });
    const text = await answer.text();
    assertEquals(answer.status, want, text);
    assert(!text.includes(KEY), "a secret in an error");
    const { error } = JSON.parse(text);
    assertEquals(Object.keys(error), ["message", "type", "param", "code"]);
    assert(answer.headers.has("x-request-id"));
    assertEquals(answer.headers.has("retry-after"), want === 503);
  });
}

Deno.test("Retry-After is kept to when nobody else is there", async () => {
  await using world = await scene();
  const { proxy, a } = world;
  a.script = [fails(429, "slow", { "retry-after": "1" }), says("later")];
  const beganMs = Date.now();
  const answer = await proxy.chat({ model: "a/m" });
  assertEquals((await answer.json()).choices[0].message.content, "later");
  assert(Date.now() - beganMs >= 1000, "asked too early");
  assertEquals(a.seen.length, 2);
});

Deno.test("a stream that breaks ends as too long for OpenClaw, as an error for others", async () => {
  await using world = await scene();
  const { proxy, a } = world;
  a.script = [(_, { gone }) => sse([ROLE, delta("half"), delta("cut").slice(0, 40), "cut"], gone)];
  const claw = await (await proxy.chat({ model: "auto", stream: true }, { headers: TRACE })).text();
  const events = claw.trim().split("\n\n").map((one) => one.replace(/^data: /, ""));
  assertEquals(events.at(-1), "[DONE]");
  const last = JSON.parse(events.at(-2) ?? "");
  assertEquals([last.id, last.choices[0].finish_reason], ["chatcmpl-up1", "length"]);
  for (const one of events.slice(0, -1)) JSON.parse(one); // no half event among them
  const sdk = await (await proxy.chat({ model: "auto", stream: true })).text();
  assertStringIncludes(sdk, '"error":{"message"');
});

Deno.test("a stream that ends without its mark gets one; one that is silent is ended", async () => {
  await using world = await scene();
  const { proxy, a } = world;
  a.script = [(_, { gone }) => sse([ROLE, delta("x"), STOP], gone)];
  const short = await (await proxy.chat({ model: "auto", stream: true })).text();
  assert(short.endsWith(STOP + DONE), short);
  a.script = [(_, { gone }) => sse([ROLE, delta("x"), 60_000], gone)];
  const silent = await (await proxy.chat({ model: "auto", stream: true }, { headers: TRACE }))
    .text();
  assertStringIncludes(silent, '"finish_reason":"length"');
  assertStringIncludes(silent, '"delta":{"content":""}'); // signs of life before
  await a.seen.at(-1)?.gone;
});

Deno.test("signs of life come before the upstream's first byte", async () => {
  await using world = await scene({ timing: { heartbeatSeconds: 0.1 } });
  const { proxy, a } = world;
  const go = Promise.withResolvers<void>();
  a.script = [async (request, tools) => (await go.promise, says("at last")(request, tools))];
  const answer = await proxy.chat({ model: "a/m", stream: true });
  const reader = answer.body?.getReader();
  const beat = new TextDecoder().decode((await reader?.read())?.value);
  assertStringIncludes(beat, '"delta":{"role":"assistant","content":""},"finish_reason":null');
  go.resolve();
  let rest = "";
  for (let got; !(got = await reader?.read())?.done;) rest += new TextDecoder().decode(got?.value);
  assertStringIncludes(rest, "at last");
  assert(rest.endsWith(DONE));
});

Deno.test("a client that leaves takes its upstream's request with it", async () => {
  await using world = await scene({ timing: { heartbeatSeconds: 10 } });
  const { proxy, a } = world;
  a.script = [(_, { gone }) => sse([ROLE, delta("x"), 60_000], gone)];
  const streaming = new AbortController();
  const answer = await proxy.chat({ model: "a/m", stream: true }, { signal: streaming.signal });
  await answer.body?.getReader().read();
  streaming.abort();
  await a.seen[0]?.gone;
  a.script = [hangs];
  const waiting = new AbortController();
  const never = proxy.chat({ model: "a/m" }, { signal: waiting.signal }).catch(() => {});
  await until("the second request is there", () => a.seen.length === 2);
  waiting.abort();
  await never;
  await a.seen[1]?.gone;
  await proxy.logged((line) => line.includes('"end":"cancelled"'));
  assertStringIncludes(await (await fetch(`${proxy.url}/metrics`)).text(), "cancelled_total");
});

Deno.test("after some failures an upstream is left alone, and tried again later", async () => {
  {
    await using world = await scene({ breaker: { failures: 2, openSeconds: 3600 } });
    const { proxy, a, b } = world;
    a.script = [fails(500)];
    for (let i = 0; i < 4; i++) await (await proxy.chat({ model: "auto" })).text();
    assertEquals([a.seen.length, b.seen.length], [2, 4]);
    const metrics = await (await fetch(`${proxy.url}/metrics`)).text();
    assertStringIncludes(metrics, 'openclaw_proxy_breaker_open{provider="a"} 1');
  }
  await using world = await scene({ breaker: { failures: 2, openSeconds: 0.2 } });
  const { proxy, a } = world;
  a.script = [fails(500)];
  for (let i = 0; i < 2; i++) await (await proxy.chat({ model: "auto" })).text();
  a.script = [says("well again")];
  await until("it is tried again", async () => {
    const answer = await (await proxy.chat({ model: "auto" })).json();
    return answer.choices[0].message.content === "well again";
  });
});

Deno.test("a new configuration is taken up while a stream runs on; a bad one is refused", async () => {
  await using world = await scene();
  const { proxy, a, b } = world;
  const end = Promise.withResolvers<void>();
  a.script = [
    (_, { gone }) => sse([ROLE, delta("old"), end.promise, delta("still old"), STOP, DONE], gone),
  ];
  const running = await proxy.chat({ model: "auto", stream: true });
  await proxy.writeConfig({ ...twoProviders(a, b), models: { auto: "b/n" } });
  await proxy.logged((line) => line.includes("configuration read"));
  const next = await (await proxy.chat({ model: "auto" })).json();
  assertEquals(next.choices[0].message.content, "from b");
  end.resolve();
  assertStringIncludes(await running.text(), "still old");
  await proxy.writeConfig({ providers: { b: { kind: "opnai", apiKey: KEY } } });
  const refused = await proxy.logged((line) => line.includes("is refused"));
  assertStringIncludes(refused, "providers.b.kind");
  assertStringIncludes(refused, "a key never stands here");
  assertEquals((await proxy.chat({ model: "auto" })).status, 200);
});

Deno.test("Anthropic's API passes on as it is, cache marks included", async () => {
  await using world = await scene();
  const { proxy, b } = world;
  b.script = [saysMessage("hello")];
  const body = {
    ...{ model: "c/claude", max_tokens: 9, stream: true },
    system: [{ type: "text", text: "s", cache_control: { type: "ephemeral" } }],
    messages: [{ role: "user", content: "hi" }],
  };
  const answer = await proxy.post("/v1/messages", body, {
    headers: { "x-api-key": "k", "anthropic-version": "2026-10-21", "anthropic-beta": "x-1" },
  });
  assertEquals(await answer.text(), messageEvents("hello").join(""));
  const [seen] = b.seen;
  assertEquals(seen?.path, "/v1/messages");
  assertEquals(seen?.body, { ...body, model: "claude" });
  assertEquals(
    ["x-api-key", "anthropic-version", "anthropic-beta", "authorization"].map((name) =>
      seen?.headers.get(name)
    ),
    [KEY, "2026-10-21", "x-1", null],
  );
  const line = JSON.parse(await proxy.logged((one) => one.includes('"event":"request"')));
  assertEquals([line.input, line.output], [100, 7]);
});

Deno.test("chat completions reach Anthropic, and messages reach OpenAI, streamed and whole", async () => {
  await using world = await scene();
  const { proxy, b } = world;
  b.script = [saysMessage("translated")];
  const whole = await (await proxy.chat({ model: "c/claude" })).json();
  assertEquals(whole.choices[0].message.content, "translated");
  assertEquals(whole.object, "chat.completion");
  const streamed = await (await proxy.chat({ model: "c/claude", stream: true })).text();
  assertStringIncludes(streamed, '"content":"translated"');
  assert(streamed.endsWith(DONE));
  b.script = [says("other way")];
  const ask = { model: "b/n", max_tokens: 5, messages: [{ role: "user", content: "hi" }] };
  const message = await (await proxy.post("/v1/messages", ask)).json();
  assertEquals(message.content, [{ type: "text", text: "other way" }]);
  const events = await (await proxy.post("/v1/messages", { ...ask, stream: true })).text();
  assertStringIncludes(events, "event: message_stop");
  const responses = await (await proxy.post("/v1/responses", { model: "b/n", input: "hi" })).json();
  assertEquals(responses.output.at(-1).content[0].text, "other way");
});

Deno.test("a translated stream that breaks ends properly, too", async () => {
  await using world = await scene();
  const { proxy, b } = world;
  b.script = [(_, { gone }) => sse([...messageEvents("half").slice(0, 4), "cut"], gone)];
  const text = await (await proxy.chat({ model: "c/x", stream: true }, { headers: TRACE })).text();
  assertStringIncludes(text, '"finish_reason":"length"');
  assert(text.endsWith(DONE));
  const messages = { model: "c/x", max_tokens: 5, stream: true, messages: [] };
  const native = await (await proxy.post("/v1/messages", messages, { headers: TRACE })).text();
  assertStringIncludes(native, '"stop_reason":"max_tokens"');
  assert(native.trim().endsWith('{"type":"message_stop"}'), native);
});

Deno.test("models, health, readiness, and what is not there", async () => {
  await using world = await scene();
  const { proxy, a } = world;
  const get = (path: string, headers: Record<string, string> = {}) =>
    fetch(proxy.url + path, { headers });
  const list = await (await get("/v1/models")).json();
  assertEquals(list.data.map(({ id }: { id: string }) => id), ["auto", "a/m"]);
  assertEquals((await (await get("/v1/models/a%2Fm")).json()).owned_by, "a");
  assertEquals((await (await get("/v1/models/a/m")).json()).id, "a/m");
  const other = await (await get("/v1/models", { "anthropic-version": "2023-06-01" })).json();
  assertEquals([other.data[0].type, other.has_more], ["model", false]);
  const missing = await get("/v1/models/none");
  assertEquals([missing.status, (await missing.json()).error.code], [404, "model_not_found"]);
  assertEquals((await (await get("/health")).json()).status, "healthy");
  assertEquals((await (await get("/readyz")).json()).ready, true);
  const nothing = await get("/nothing");
  assertEquals(nothing.status, 404);
  await nothing.body?.cancel();
  const page = await get("/v1/models", { origin: "https://evil.example" });
  assertEquals(page.status, 400);
  await page.body?.cancel();
  for (
    const [body, param] of [["{", null], [{}, "model"], [{ model: "nobody" }, "model"]] as const
  ) {
    const bad = await proxy.post("/v1/chat/completions", body);
    assert([400, 404].includes(bad.status));
    assertEquals((await bad.json()).error.param, param);
  }
  a.script = [() => Response.json({ object: "list", data: [] })];
  const embeddings = await proxy.post("/v1/embeddings", { model: "a/m", input: "x" });
  assertEquals([embeddings.status, a.seen.at(-1)?.path], [200, "/v1/embeddings"]);
  await embeddings.text();
  const none = await proxy.post("/v1/embeddings", { model: "c/m", input: "x" });
  assertEquals([none.status, (await none.json()).error.code], [404, "model_not_found"]);
  const count = await proxy.post("/v1/messages/count_tokens", { model: "a/m", messages: [] });
  assert((await count.json()).input_tokens > 0);
});

Deno.test("keys of clients, limits and caps on money", async () => {
  const clients = {
    one: { key: { env: "ONE" }, limits: { requestsPerMinute: 2 } },
    two: { key: { env: "TWO" }, limits: { spendPerDay: 0.005 } },
  };
  const prices = { "a/m": { input: 2, output: 10 } };
  await using world = await scene({ clients, prices }, {
    secrets: `A_KEY=${KEY}\nONE=key-one\nTWO=key-two\n`,
  });
  const { proxy } = world;
  const ask = async (key: string | null, model = "a/m") => {
    const headers: Record<string, string> = key === null ? {} : { authorization: `Bearer ${key}` };
    const answer = await proxy.chat({ model, max_tokens: 1 }, { headers });
    return { status: answer.status, text: await answer.text(), headers: answer.headers };
  };
  assertEquals((await ask(null)).status, 401);
  assertEquals((await ask("key-three")).status, 401);
  assertEquals([(await ask("key-one")).status, (await ask("key-one")).status], [200, 200]);
  const limited = await ask("key-one");
  assertEquals(limited.status, 429);
  assert(Number(limited.headers.get("retry-after")) > 0);
  // 1000 tokens in, 100 out: 0.003 dollars each.
  assertEquals([(await ask("key-two")).status, (await ask("key-two")).status], [200, 200]);
  const capped = await ask("key-two");
  assertEquals(capped.status, 400);
  assertStringIncludes(capped.text, "US dollars a day");
  assertStringIncludes((await ask("key-two", "b/n")).text, "has no price");
});

Deno.test("keys come from a program, too, and one that fails is not the client's 401", async () => {
  const a = startUpstream(says("x"));
  const folder = await Deno.makeTempDir();
  const program = `${folder}/key`;
  writeExecutable(program, `#!/bin/sh\necho ${KEY}-$1\n`);
  const provider = (argv: string[]) => ({
    ...{ kind: "openai", baseUrl: `${a.url}/v1`, apiKey: { command: argv } },
  });
  {
    await using proxy = await startProxy({
      providers: { good: provider([program, "7"]), bad: provider([`${folder}/none`]) },
    });
    assertEquals((await (await proxy.chat({ model: "good/m" })).json()).object, "chat.completion");
    assertEquals(a.seen[0]?.headers.get("authorization"), `Bearer ${KEY}-7`);
    const answer = await proxy.chat({ model: "bad/m" });
    assertEquals([answer.status, (await answer.json()).error.code], [404, "model_not_found"]);
    assert(!proxy.output().includes(KEY));
  }
  await a.close();
  await Deno.remove(folder, { recursive: true });
});

Deno.test("check-config names the path and the fix, and never shows a key", async () => {
  const home = await Deno.makeTempDir();
  await Deno.mkdir(`${home}/.openclaw`);
  const env = { HOME: home, PATH: Deno.env.get("PATH") ?? "" };
  const check = async (config: unknown) => {
    await Deno.writeTextFile(`${home}/.openclaw/proxy.json`, JSON.stringify(config));
    const { code, stdout, stderr } = await proxyCommand(home, env, ["check-config"])
      .output();
    const text = new TextDecoder();
    return { code, out: text.decode(stdout), err: text.decode(stderr) };
  };
  const bad = await check({
    providers: { x: { kind: "openai", apiKey: KEY, baseUrl: "http://example.com/v1" } },
    models: { auto: "y/m" },
    modls: 1,
  });
  assertEquals(bad.code, 78);
  for (const path of ["providers.x.apiKey", "providers.x.baseUrl", "modls"]) {
    assertStringIncludes(bad.err, path);
  }
  assert(!bad.err.includes(KEY));
  const good = await check({ providers: { o: { kind: "openai", apiKey: { env: "O" } } } });
  assertEquals([good.code, good.err], [0, ""]);
  assertStringIncludes(good.out, "provider o: openai, https://api.openai.com/v1, key from env");
  await Deno.remove(home, { recursive: true });
});

Deno.test("while nobody has begun to answer, the first sign of life comes with the headers, as an event", async () => {
  await using world = await scene({ timing: { heartbeatSeconds: 0.5 } });
  const { proxy, a } = world;
  a.script = [hangs];
  const first = {
    "/v1/chat/completions": `"object":"chat.completion.chunk"`,
    "/v1/messages": `"type":"ping"`,
    "/v1/responses": `"type":"response.created"`,
  };
  for (const [path, wanted] of Object.entries(first)) {
    const began = performance.now();
    const answer = await proxy.post(path, {
      ...{ model: "a/m", stream: true, max_tokens: 10, input: "hi" },
      messages: [{ role: "user", content: "hi" }],
    });
    const reader = answer.body?.getReader();
    const { value } = await reader?.read() ?? {};
    const ms = performance.now() - began;
    assertStringIncludes(new TextDecoder().decode(value), wanted, path);
    assert(ms < 950, `${path}: ${Math.round(ms)} ms`); // and not after a second silence
    await reader?.cancel();
  }
});

Deno.test("systemd is told that it is ready when it listens, and not before", async () => {
  const port = freePort();
  const bin = await Deno.makeTempDir();
  try {
    // In place of systemd-notify(1): what it is told, and whether somebody answers then.
    const script = `#!/bin/bash\n(exec 3<>/dev/tcp/127.0.0.1/${port}) 2>/dev/null && up=yes\n` +
      `echo "$* \${up:-no}" >>${bin}/told\n`;
    writeExecutable(`${bin}/systemd-notify`, script);
    const environment = {
      ...{ PATH: `${bin}:${Deno.env.get("PATH")}`, NOTIFY_SOCKET: `${bin}/notify` },
      OPENCLAW_PROXY_PORT: String(port),
    };
    const config = { providers: { local: { kind: "ollama" } }, models: {} };
    const proxy = await startProxy(config, { environment });
    await until("systemd is told", () => textOf(`${bin}/told`).endsWith("\n"));
    assertEquals(textOf(`${bin}/told`), `--pid=${proxy.pid} READY=1 yes\n`);
    await proxy[Symbol.asyncDispose]();
  } finally {
    await Deno.remove(bin, { recursive: true });
  }
});

function textOf(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

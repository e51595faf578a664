// SPDX-License-Identifier: GPL-2.0-or-later
/** openclaw-proxy says what is wrong, and what to do: keys, ports, paths, networks, bodies. @module */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { says, startUpstream } from "./proxy_upstream.ts";
import { proxyCommand, startProxy } from "./proxy_world.ts";

const KEYED = (url: string) => ({
  providers: { a: { kind: "openai", baseUrl: `${url}/v1`, apiKey: { env: "A_KEY" } } },
});

for (
  const [what, secrets, mode] of [
    ["no line", "OTHER=x\n", 0o600],
    ["an empty line", "A_KEY=\n", 0o600],
    ["a file that others may read", "A_KEY=sk-secret-0123456789\n", 0o644],
  ] as const
) {
  Deno.test(`a key that cannot be had (${what}) is not called a refused key`, async () => {
    const up = startUpstream(says("yes"));
    await using proxy = await startProxy(KEYED(up.url), {
      secrets,
      prepare: (folder) => Deno.chmod(`${folder}/proxy.env`, mode),
    });
    const answer = await proxy.chat({ model: "a/m" });
    const { error } = await answer.json();
    assertEquals(answer.status, 404);
    assertStringIncludes(error.message, "the proxy has no key for its provider");
    assert(!error.message.includes("refuses"), error.message);
    const line = JSON.parse(await proxy.logged((one) => one.includes('"attempt"')));
    assertEquals(line.outcome, "no key");
    assertStringIncludes(line.detail, "proxy.env");
    const { providers, authenticated } = await (await fetch(`${proxy.url}/health`)).json();
    assertEquals([authenticated, providers[0].keyMissing, providers[0].keyRefused], [
      ...[false, true, false],
    ]);
    assertEquals(up.seen.length, 0);
    await up.close();
  });
}

async function run(
  config: unknown,
  env: Readonly<Record<string, string>>,
  args: readonly string[],
  prepare: (folder: string) => Promise<void> = () => Promise.resolve(),
) {
  const home = await Deno.makeTempDir({ prefix: "proxy-" });
  try {
    await Deno.mkdir(`${home}/.openclaw`, { mode: 0o700 });
    await Deno.writeTextFile(`${home}/.openclaw/proxy.json`, JSON.stringify(config));
    await prepare(`${home}/.openclaw`);
    const all = { HOME: home, PATH: Deno.env.get("PATH") ?? "", ...env };
    const command = proxyCommand(home, all, args);
    const result = await command.output();
    const decoder = new TextDecoder();
    const out = args.length === 0 ? "" : decoder.decode(result.stdout); // a server prints nothing
    return { code: result.code, out, err: decoder.decode(result.stderr) };
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

Deno.test("check-config tries each key, and says how proxy.env may be read", async () => {
  const ref = (env: string) => ({ kind: "openai", apiKey: { env } });
  const config = {
    providers: {
      ...{ there: ref("THERE"), gone: ref("GONE") },
      asked: { kind: "openai", apiKey: { command: ["/usr/bin/printf", "sk-secret-printed"] } },
      fails: { kind: "openai", apiKey: { command: ["/usr/bin/false"] } },
      absent: { kind: "openai", apiKey: { command: ["/no/such/program"] } },
    },
    clients: { one: { key: { env: "CLIENT" } } },
  };
  const written = (mode: number) => async (folder: string): Promise<void> => {
    await Deno.writeTextFile(`${folder}/proxy.env`, "THERE=sk-secret-0123456789\n");
    await Deno.chmod(`${folder}/proxy.env`, mode);
  };
  const good = await run(config, {}, ["check-config"], written(0o600));
  assertEquals(good.code, 0, good.err);
  assertStringIncludes(good.out, "proxy.env: mode 0600\n");
  assertStringIncludes(good.out, "key from env: THERE is there");
  assertStringIncludes(good.out, "proxy.env has no GONE");
  assertStringIncludes(good.out, "its key (MISSING: ");
  assertStringIncludes(good.out, "key from command: what /usr/bin/printf prints is there");
  assertStringIncludes(good.out, "key from command: MISSING: /usr/bin/false ended with code 1");
  assertStringIncludes(good.out, "key from command: MISSING: /no/such/program is not there");
  assert(!good.out.includes("sk-secret"), good.out);
  const open = await run(config, {}, ["check-config"], written(0o644));
  assertStringIncludes(open.out, "mode 0644, which lets others read it: chmod 600 ");
  const folder = await run(
    config,
    {},
    ["check-config"],
    (home) => Deno.mkdir(`${home}/proxy.env`, { mode: 0o755 }),
  );
  assertStringIncludes(folder.out, "proxy.env: not a regular file");
  const none = await run(config, {}, ["check-config"]);
  assertStringIncludes(none.out, "proxy.env: not there");
});

Deno.test("a port that is taken is one line: which, and by whom", async () => {
  await using proxy = await startProxy({ providers: { local: { kind: "ollama" } } });
  const config = { providers: { local: { kind: "ollama" } } };
  const first = await run(config, { OPENCLAW_PROXY_PORT: new URL(proxy.url).port }, []);
  const [line = ""] = first.err.split("\n").filter((one) => one.includes("error"));
  assertEquals(first.code, 1);
  assertStringIncludes(line, `port ${new URL(proxy.url).port} on 127.0.0.1 is taken by another`);
  assertStringIncludes(line, "openclaw-proxy (");
  assert(!first.err.includes("bug"), first.err);
  using stranger = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = stranger.accept().then((conn) => conn.close(), () => {});
  const port = String(stranger.addr.port);
  const second = await run(config, { OPENCLAW_PROXY_PORT: port }, []);
  assertStringIncludes(second.err, `port ${port} on 127.0.0.1 is taken by another program`);
  assertStringIncludes(second.err, `ss -ltnp 'sport = :${port}'`);
  await accepted;
});

Deno.test('why a provider cannot be reached is told apart: refused, DNS, TLS, cut, and not "no connection"', async () => {
  using closed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using plain = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    for await (const conn of plain) {
      await conn.read(new Uint8Array(4096));
      conn.close();
    }
  })().catch(() => {});
  const refusedPort = closed.addr.port;
  closed.close();
  const openai = (baseUrl: string) => ({ kind: "openai", baseUrl });
  const rows = {
    refused: [openai(`http://127.0.0.1:${refusedPort}/v1`), "connection refused"],
    dns: [openai("https://no-such-host.invalid/v1"), "its name cannot be resolved (DNS)"],
    tls: [openai(`https://127.0.0.1:${plain.addr.port}/v1`), "it does not speak TLS as it should"],
    cut: [openai(`http://127.0.0.1:${plain.addr.port}/v1`), "the connection was cut"],
  } as const;
  const providers = Object.fromEntries(Object.entries(rows).map(([name, [one]]) => [name, one]));
  await using proxy = await startProxy({ providers, timing: { retries: 0 } });
  for (const [name, [, words]] of Object.entries(rows)) {
    const answer = await proxy.chat({ model: `${name}/m` });
    assertEquals(answer.status, 503);
    const { error } = await answer.json();
    assertStringIncludes(error.message, `the provider cannot be reached: ${words}`);
  }
  plain.close();
  await serving;
});

Deno.test("a packed body is read; one that is not what it says, or packed otherwise, is told so", async () => {
  const up = startUpstream(says("unpacked"));
  await using proxy = await startProxy({
    providers: { a: { kind: "openai", baseUrl: `${up.url}/v1` } },
  });
  const json = JSON.stringify({ model: "a/m", messages: [{ role: "user", content: "hi" }] });
  const post = async (packing: string, body: BodyInit) => {
    const answer = await fetch(`${proxy.url}/v1/chat/completions`, {
      ...{ method: "POST", body, headers: { "content-encoding": packing } },
    });
    return { status: answer.status, text: await answer.text() };
  };
  for (const format of ["gzip", "deflate"] as const) {
    const packed = new Blob([json]).stream().pipeThrough(new CompressionStream(format));
    const bytes = await new Response(packed).bytes();
    assertStringIncludes((await post(format, bytes)).text, "unpacked");
  }
  assertEquals(up.seen[0]?.headers.get("content-encoding"), null);
  assertEquals((await post("gzip", json)).status, 400);
  const other = await post("br", json);
  assertEquals(other.status, 400);
  assertStringIncludes(other.text, "none of: gzip, x-gzip, deflate, identity");
  await up.close();
});

Deno.test("an unknown path says which there are", async () => {
  await using proxy = await startProxy({ providers: { local: { kind: "ollama" } } });
  for (const path of ["/chat/completions", "/v1/v1/messages", "/v1"]) {
    for (const method of ["POST", "GET"]) {
      const answer = await fetch(proxy.url + path, { method });
      assertEquals(answer.status, 404);
      const { error } = await answer.json();
      assertStringIncludes(error.message, "POST /v1/chat/completions, /v1/messages");
      assertStringIncludes(error.message, "base URL ends in /v1");
    }
  }
});

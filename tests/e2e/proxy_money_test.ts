// SPDX-License-Identifier: GPL-2.0-or-later
/** openclaw-proxy counts what a request costs, also where nobody says it. @module */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  delta,
  DONE,
  fails,
  messageEvents,
  ROLE,
  says,
  sse,
  startUpstream,
  STOP,
  type Upstream,
  USAGE,
} from "./proxy_upstream.ts";
import { type ProxyWorld, startProxy } from "./proxy_world.ts";

interface Scene extends AsyncDisposable {
  readonly proxy: ProxyWorld;
  readonly up: Upstream;
}

async function scene(more: Record<string, unknown> = {}): Promise<Scene> {
  const up = startUpstream(says("yes"));
  const proxy = await startProxy({
    providers: {
      o: { kind: "openai", baseUrl: `${up.url}/v1` },
      c: { kind: "anthropic", baseUrl: up.url },
    },
    prices: { "o/m": { input: 2, output: 10 }, "c/m": { input: 2, output: 10 } },
    ...more,
  });
  return {
    ...{ proxy, up },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await up.close();
    },
  };
}

interface Booked {
  readonly input: number;
  readonly output: number;
  readonly estimated: boolean;
  readonly end: string;
  readonly target: string | null;
}

async function booked(proxy: ProxyWorld): Promise<Booked> {
  return JSON.parse(await proxy.logged((line) => line.includes('"event":"request"')));
}

/** Some 4,000 tokens in 20,000 letters. */
const WORDS = "The quick brown fox jumps over the lazy dog, and runs. ".repeat(364) + "Done it is.";
const TENTHS = Array.from({ length: 10 }, (_, at) => WORDS.slice(at * 2004, (at + 1) * 2004));

function assertNear(found: number, truth: number): void {
  assert(found >= truth * 0.85 && found <= truth * 1.15, `${found} for ${truth}`);
}

const TRUE_TOKENS = 364 * 13 + 4;

Deno.test("a stream whose client did not ask for usage is asked for it, and shows none", async () => {
  await using world = await scene();
  const { proxy, up } = world;
  const answer = await proxy.chat({ model: "o/m", stream: true });
  const text = await answer.text();
  assertEquals(up.seen[0]?.body["stream_options"], { include_usage: true });
  assertEquals(text, [ROLE, delta("yes"), STOP, DONE].join(""));
  const { input, output, estimated } = await booked(proxy);
  assertEquals([input, output, estimated], [1000, 100, false]);
});

Deno.test("a client that asks for usage gets it; without a price or a limit nobody asks", async () => {
  await using world = await scene();
  const { proxy, up } = world;
  const asks = { stream: true, stream_options: { include_usage: true } };
  assertStringIncludes(await (await proxy.chat({ model: "o/m", ...asks })).text(), USAGE);
  assertStringIncludes(await (await proxy.chat({ model: "o/free", stream: true })).text(), USAGE);
  assertEquals(up.seen.map(({ body }) => body["stream_options"]), [
    asks.stream_options,
    undefined,
  ]);
});

Deno.test("a server that does not know stream_options is asked without; its stream is counted by its letters", async () => {
  await using world = await scene();
  const { proxy, up } = world;
  up.script = [
    fails(400, "Unrecognized request argument supplied: stream_options"),
    (_, { gone }) => sse([ROLE, ...TENTHS.map(delta), STOP, DONE], gone),
  ];
  const answer = await proxy.chat({ model: "o/m", stream: true });
  await answer.text();
  assertEquals(up.seen.map(({ body }) => "stream_options" in body), [true, false]);
  const { output, estimated } = await booked(proxy);
  assertEquals(estimated, true);
  assertNear(output, TRUE_TOKENS);
});

const chatPieces = [ROLE, ...TENTHS.map(delta)];
const [start = "", blockStart = "", , , ...rest] = messageEvents("x");
const messagePieces = [
  ...[start, blockStart],
  ...TENTHS.map((text) =>
    `event: content_block_delta\ndata: ${
      JSON.stringify({
        ...{ type: "content_block_delta", index: 0 },
        delta: { type: "text_delta", text },
      })
    }\n\n`
  ),
];

for (
  const [path, model, pieces, input] of [
    ["/v1/chat/completions", "o/m", chatPieces, null],
    ["/v1/messages", "c/m", messagePieces, 100],
    ["/v1/messages", "o/m", chatPieces, null],
    ["/v1/chat/completions", "c/m", messagePieces, 100],
    ["/v1/responses", "c/m", messagePieces, 100],
    ["/api/chat", "o/m", chatPieces, null],
  ] as const
) {
  Deno.test(`a client of ${path} that leaves ${model} before its last event pays what was said`, async () => {
    await using world = await scene();
    const { proxy, up } = world;
    up.script = [(_, { gone }) => sse([...pieces, new Promise(() => {}), ...rest], gone)];
    const ask = path === "/v1/responses"
      ? { input: "hi" }
      : { messages: [{ role: "user", content: "hi" }] };
    const leave = new AbortController();
    const answer = await proxy.post(path, { model, stream: true, max_tokens: 9000, ...ask }, {
      signal: leave.signal,
    });
    let text = "";
    const decoder = new TextDecoder();
    const reader = answer.body?.getReader();
    while (!text.includes("Done it is.")) text += decoder.decode((await reader?.read())?.value);
    leave.abort();
    await reader?.read().catch(() => {});
    const found = await booked(proxy);
    assertEquals([found.end, found.estimated, found.target], ["cancelled", true, model]);
    assertNear(found.output, TRUE_TOKENS);
    if (input !== null) assertEquals(found.input, input);
    assert(found.input > 0 && found.input <= 100, `${found.input}`);
  });
}

Deno.test("a client that leaves before a stream has begun pays for its prompt", async () => {
  await using world = await scene({ timing: { heartbeatSeconds: 0.1 } });
  const { proxy, up } = world;
  up.script = [(_, { gone }) => sse([": wait\n\n", new Promise(() => {})], gone)];
  const leave = new AbortController();
  const answer = await proxy.chat({
    ...{ model: "o/m", stream: true },
    messages: [{ role: "user", content: WORDS }],
  }, { signal: leave.signal });
  await answer.body?.getReader().read();
  leave.abort();
  const found = await booked(proxy);
  assertEquals([found.end, found.output, found.target], ["cancelled", 0, "o/m"]);
  assertNear(found.input, TRUE_TOKENS);
});

Deno.test("what was thought in secret is paid, also where only the total holds it", async () => {
  await using world = await scene();
  const { proxy, up } = world;
  const usage = {
    ...{ prompt_tokens: 10, completion_tokens: 5, total_tokens: 1015 },
    completion_tokens_details: { reasoning_tokens: 1000 },
  };
  up.script = [(_, { gone }) => sse([ROLE, delta("x"), STOP, USAGE_OF(usage), DONE], gone)];
  await (await proxy.chat({ model: "o/m", stream: true })).text();
  await (await proxy.post("/v1/messages", {
    ...{ model: "o/m", stream: true, max_tokens: 9 },
    messages: [{ role: "user", content: "hi" }],
  })).text();
  const lines = async (): Promise<Booked[]> => {
    await proxy.logged((line) => line.includes('"api":"messages"') && line.includes('"request"'));
    return proxy.output().split("\n").filter((line) => line.includes('"event":"request"'))
      .map((line) => JSON.parse(line));
  };
  assertEquals((await lines()).map(({ input, output }) => [input, output]), [
    [10, 1005],
    [10, 1005],
  ]);
});

const USAGE_OF = (usage: unknown): string => `data: ${JSON.stringify({ choices: [], usage })}\n\n`;

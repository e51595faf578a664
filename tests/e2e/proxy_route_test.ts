// SPDX-License-Identifier: GPL-2.0-or-later
/** openclaw-proxy's routes: they end only where nobody could answer. @module */

import { assertEquals, assertStringIncludes } from "@std/assert";
import {
  chunk,
  completion,
  fails,
  hangs,
  messageEvents,
  type Play,
  ROLE,
  says,
  saysMessage,
  sse,
  startUpstream,
  type Upstream,
} from "./proxy_upstream.ts";
import { type ProxyWorld, startProxy } from "./proxy_world.ts";

interface Scene extends AsyncDisposable {
  readonly proxy: ProxyWorld;
  readonly a: Upstream;
  readonly b: Upstream;
}

/** a before b, each as a provider of OpenAI's kind, of the same with /responses, and of Anthropic's. */
async function scene(more: Record<string, unknown> = {}): Promise<Scene> {
  const [a, b] = [startUpstream(says("from a")), startUpstream(says("from b"))];
  const proxy = await startProxy({
    providers: {
      a: { kind: "openai", baseUrl: `${a.url}/v1`, responses: true },
      b: { kind: "openai", baseUrl: `${b.url}/v1`, responses: true },
      ca: { kind: "anthropic", baseUrl: a.url },
      cb: { kind: "anthropic", baseUrl: b.url },
    },
    models: {
      auto: { try: ["a/m", "b/n"] },
      claude: { try: ["ca/m", "cb/n"] },
      mixed: { try: ["ca/m", "b/n"] },
      sighted: { try: ["a/gpt-3.5-turbo", "b/gpt-5"] },
    },
    timing: { heartbeatSeconds: 0.2, firstByteSeconds: 1, deadlineSeconds: 3, idleSeconds: 1 },
    ...more,
  });
  return {
    ...{ proxy, a, b },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await Promise.all([a.close(), b.close()]);
    },
  };
}

for (
  const [what, play] of [
    ["no pictures", fails(400, "this model does not support image input")],
    ["no such field", fails(422, "Extra inputs are not permitted: seed")],
    ["a prompt too long", fails(400, "maximum context length is 8192 tokens")],
    ["a body too large", fails(413, "too large")],
    ["no such model", fails(404, "no such model")],
  ] as const
) {
  Deno.test(`a provider that refuses a request (${what}) is no reason to refuse it: the next is asked`, async () => {
    await using world = await scene();
    const { proxy, a, b } = world;
    a.script = [play];
    for (const stream of [true, false]) {
      const answer = await proxy.chat({ model: "auto", stream });
      assertStringIncludes(await answer.text(), "from b");
    }
    assertEquals([a.seen.length, b.seen.length], [2, 2]);
    b.script = [fails(400, "b refuses it, too")];
    const refused = await proxy.chat({ model: "auto" });
    const text = await refused.text();
    assertEquals(refused.status >= 400 && refused.status < 500, true, text);
    if (what !== "no such model") assertEquals(text.includes("b refuses it"), false, text);
  });
}

Deno.test("what cannot be translated for the first provider goes to the second as it is", async () => {
  await using world = await scene();
  const { proxy, a, b } = world;
  const answer = await proxy.chat({ model: "mixed", temperature: "warm" });
  assertStringIncludes(await answer.text(), "from b");
  assertEquals([a.seen.length, b.seen[0]?.body["temperature"]], [0, "warm"]);
});

const created = (type: string): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, response: { id: "resp_up1" } })}\n\n`;
const ERROR = `data: ${JSON.stringify({ error: { message: "boom", code: 500 } })}\n\n`;
const ANTHROPIC_ERROR = `event: error\ndata: ${
  JSON.stringify({ type: "error", error: { type: "overloaded_error", message: "Overloaded" } })
}\n\n`;
const messageStart = messageEvents("x").slice(0, 3);
const finishError = chunk({ index: 0, delta: { content: "" }, finish_reason: "error" });

const FAILING: readonly (readonly [string, string, string, readonly string[]])[] = [
  ["a comment, then an error", "/v1/chat/completions", "auto", [": PROCESSING\n\n", ERROR]],
  ["a role, then an error", "/v1/chat/completions", "auto", [ROLE, ERROR]],
  ["a role, then the end", "/v1/chat/completions", "auto", [ROLE]],
  ["a role, then a cut", "/v1/chat/completions", "auto", [ROLE, "cut"]],
  ['a role, then finish_reason "error"', "/v1/chat/completions", "auto", [ROLE, finishError]],
  ["message_start, then an error", "/v1/messages", "claude", [...messageStart, ANTHROPIC_ERROR]],
  ["message_start, then a cut", "/v1/messages", "claude", [...messageStart, "cut"]],
  [
    ...["response.created, then an error", "/v1/responses", "auto"] as const,
    [created("response.created"), created("response.failed")],
  ],
  ["a role, then an error, translated", "/v1/messages", "auto", [ROLE, ERROR]],
  [
    ...["message_start, then an error, translated", "/v1/chat/completions", "claude"] as const,
    [...messageStart, ANTHROPIC_ERROR],
  ],
];

const second: Play = (request, tools) => {
  if (request.path.endsWith("/messages")) return saysMessage("from b")(request, tools);
  if (!request.path.endsWith("/responses")) return says("from b")(request, tools);
  const type = "response.output_text.delta";
  return sse([
    created("response.created"),
    `event: ${type}\ndata: ${JSON.stringify({ type, delta: "from b" })}\n\n`,
    created("response.completed"),
  ], tools.gone);
};

for (const [what, path, model, pieces] of FAILING) {
  Deno.test(`a stream that fails before its content is nothing to the client: ${what}`, async () => {
    await using world = await scene();
    const { proxy, a, b } = world;
    a.script = [(_, { gone }) => sse(pieces, gone)];
    b.script = [second];
    const question = path === "/v1/responses"
      ? { input: "hi" }
      : { messages: [{ role: "user", content: "hi" }], max_tokens: 9 };
    const answer = await proxy.post(path, { model, stream: true, ...question });
    const text = await answer.text();
    assertStringIncludes(text, "from b");
    assertEquals(/boom|Overloaded|"error"/.test(text), false, text);
    assertEquals([a.seen.length, b.seen.length], [1, 1]);
  });
}

Deno.test("a stream that thinks in silence after its first event is not given up at once", async () => {
  await using world = await scene({
    timing: { heartbeatSeconds: 0.2, firstByteSeconds: 0.5, deadlineSeconds: 3, idleSeconds: 20 },
  });
  const { proxy, a, b } = world;
  a.script = [(_, { gone }) => sse([ROLE, 1500, ...SAID], gone)];
  const answer = await proxy.chat({ model: "auto", stream: true });
  assertStringIncludes(await answer.text(), "late from a");
  assertEquals(b.seen.length, 0);
});

const SAID = [
  chunk({ index: 0, delta: { content: "late from a" }, finish_reason: null }),
  chunk({ index: 0, delta: {}, finish_reason: "stop" }),
  "data: [DONE]\n\n",
];

Deno.test("a provider that hangs on a request without stream is given up for the second one", async () => {
  await using world = await scene();
  const { proxy, a } = world;
  a.script = [hangs];
  const answer = await proxy.chat({ model: "auto" });
  assertEquals(await answer.json(), completion("from b"));
  await a.seen[0]?.gone;
});

Deno.test("a picture goes to the first that can see, a text to the first", async () => {
  await using world = await scene();
  const { proxy, a, b } = world;
  const picture = { type: "image_url", image_url: { url: "data:image/png;base64,aGk=" } };
  const seeing = await proxy.chat({
    ...{ model: "sighted", messages: [{ role: "user", content: [picture] }] },
  });
  assertStringIncludes(await seeing.text(), "from b");
  assertEquals(a.seen.length, 0);
  assertStringIncludes(await (await proxy.chat({ model: "sighted" })).text(), "from a");
  b.script = [fails(503)]; // what is known of a model may be wrong
  const last = await proxy.chat({
    ...{ model: "sighted", messages: [{ role: "user", content: [picture] }] },
  });
  assertStringIncludes(await last.text(), "from a");
});

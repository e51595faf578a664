// SPDX-License-Identifier: GPL-2.0-or-later
/** openclaw-proxy with a stand-in for cursor-agent. @module */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { until } from "../until.ts";
import { type ProxyWorld, startProxy } from "./proxy_world.ts";
import { writeExecutable } from "../executable.ts";

const said = (text: string, more = `,"timestamp_ms":1`): string =>
  `{"type":"assistant","message":{"content":[{"type":"text","text":${
    JSON.stringify(text)
  }}]}${more}}`;
const INIT = `{"type":"system","subtype":"init","model":"auto"}`;
const RESULT = `{"type":"result","subtype":"success","is_error":false,"result":"x",` +
  `"usage":{"inputTokens":12,"outputTokens":3,"cacheReadTokens":5,"cacheWriteTokens":0}}`;

interface Scene extends AsyncDisposable {
  readonly proxy: ProxyWorld;
  /** What the stand-in does, in shell; $HOME/args and $HOME/prompt say how it was called. */
  script(shell: string): void;
  read(name: string): Promise<string>;
}

async function scene(cursor: Record<string, unknown> = {}): Promise<Scene> {
  const folder = await Deno.makeTempDir({ prefix: "cursor-" });
  const program = `${folder}/agent`;
  const proxy = await startProxy({
    providers: {
      cursor: {
        ...{ kind: "cursor", apiKey: { env: "C_KEY" } },
        cursor: { program, timeoutSeconds: 20, ...cursor },
      },
    },
    timing: { heartbeatSeconds: 0.2, retries: 0 },
  }, { secrets: "C_KEY=cursor-key-123\n" });
  return {
    proxy,
    script: (shell) =>
      writeExecutable(
        program,
        `#!/bin/sh\nprintf '%s\\n' "$@" >${folder}/args\ncat >${folder}/prompt\n` +
          `printf '%s' "$CURSOR_API_KEY" >${folder}/key\npwd >${folder}/cwd\n${shell}\n`,
      ),
    read: (name) => Deno.readTextFile(`${folder}/${name}`),
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      assert(!proxy.output().includes("cursor-key-123"), "a secret in the log");
      assert(!proxy.output().includes('"bug"'), proxy.output());
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** Shell that prints these lines. */
const prints = (...lines: string[]): string => `cat <<'END'\n${lines.join("\n")}\nEND`;

Deno.test("cursor: text once, however often it is printed; usage; the prompt not in the arguments", async () => {
  await using world = await scene();
  const { proxy } = world;
  world.script(prints(
    ...[INIT, said("Hel"), said("lo"), said("Hello", `,"timestamp_ms":2,"model_call_id":"1"`)],
    ...[said(" you"), said("Hello you", ""), RESULT],
  ));
  const answer = await proxy.chat({
    model: "cursor/sonnet",
    messages: [{ role: "user", content: "SECRET-PROMPT" }],
  });
  const { choices, usage } = await answer.json();
  assertEquals(choices[0].message.content, "Hello you");
  assertEquals(choices[0].finish_reason, "stop");
  assertEquals([usage.prompt_tokens, usage.completion_tokens], [17, 3]);
  assert(!(await world.read("args")).includes("SECRET-PROMPT"));
  assertStringIncludes(await world.read("args"), "--model\nsonnet\n--mode\nask");
  assertStringIncludes(await world.read("prompt"), "[user]\nSECRET-PROMPT");
  assertEquals(await world.read("key"), "cursor-key-123");
  const own = `${proxy.home}/.openclaw/proxy-cursor`;
  assertEquals(await world.read("cwd"), `${own}\n`);
  assertEquals(((await Deno.stat(own)).mode ?? 0) & 0o777, 0o700);
  const streamed = await (await proxy.chat({ model: "cursor-acp/auto", stream: true })).text();
  assertStringIncludes(streamed, '"content":"Hel"');
  assert(streamed.endsWith("data: [DONE]\n\n"));
});

Deno.test("cursor: a call of the client's tool comes as a tool call", async () => {
  await using world = await scene();
  const call =
    `<openclaw_tool_call>{"name": "exec", "arguments": {"command": "ls"}}</openclaw_tool_call>`;
  world.script(prints(INIT, said("I look. <opencl"), said(call.slice(7)), RESULT));
  const tools = [{
    type: "function",
    function: { name: "exec", parameters: { type: "object", properties: {} } },
  }];
  const answer = await world.proxy.chat({ model: "cursor/auto", tools });
  const [{ message, finish_reason }] = (await answer.json()).choices;
  assertEquals(finish_reason, "tool_calls");
  assertEquals(message.content, "I look. ");
  assertEquals(message.tool_calls[0].function, { name: "exec", arguments: '{"command":"ls"}' });
  assert(/^[A-Za-z0-9]+$/.test(message.tool_calls[0].id));
  assertStringIncludes(await world.read("prompt"), '{"name":"exec"');
});

Deno.test("cursor: signs of life while it starts; a client that leaves ends the whole group", async () => {
  await using world = await scene();
  world.script(`sleep 300 & echo $! >"$0.child"; wait`);
  const leave = new AbortController();
  const answer = await world.proxy.chat({ model: "cursor/auto", stream: true }, {
    signal: leave.signal,
  });
  const beat = new TextDecoder().decode((await answer.body?.getReader().read())?.value);
  assertStringIncludes(beat, '"content":""');
  let child = 0;
  await until("its child runs", async () => {
    child = Number(await world.read("agent.child").catch(() => "0"));
    return child !== 0;
  });
  leave.abort();
  await until("its child has ended", async () => !await isRunning(child));
});

for (
  const [words, status, code] of [
    ["Error: Not logged in. Run agent login.", 404, "model_not_found"],
    ["You've hit your usage limit", 400, "insufficient_quota"],
    ["Cannot use this model: unknown model foo", 404, "model_not_found"],
    ["connect ECONNREFUSED", 503, "overloaded"],
    ["rate limit", 503, "overloaded"],
  ] as const
) {
  Deno.test(`cursor: "${words}" is ${status} for the client`, async () => {
    await using world = await scene();
    world.script(`echo "${words}" >&2; exit 1`);
    const answer = await world.proxy.chat({ model: "cursor/auto" });
    const { error } = await answer.json();
    assertEquals(answer.status, status, JSON.stringify(error));
    if (code !== "insufficient_quota") assertEquals(error.code, code);
    assert(!error.message.includes(words), "its own words are not shown");
  });
}

Deno.test("cursor: the original's configuration works as it is", async () => {
  await using proxy = await startProxy(null, {
    original: {
      tool_mode: "openclaw",
      timeout_ms: 300_000,
      default_model: "gpt-5",
      retry_attempts: 3,
    },
    environment: { OPENCLAW_CURSOR_LOG_LEVEL: "debug" },
  });
  const list = await (await fetch(`${proxy.url}/v1/models`)).json();
  assertEquals(list.data.map(({ id }: { id: string }) => id), ["auto", "cursor/auto"]);
});

/** A zombie, whose parent has not looked yet, does not run. */
async function isRunning(pid: number): Promise<boolean> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => "");
  return stat !== "" && !/\) Z/.test(stat);
}

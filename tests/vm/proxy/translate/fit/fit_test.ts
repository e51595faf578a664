// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What providers refuse is not sent, whether we wrote the body or the client did. Each test is
 * named after what a provider answered with 400.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { DIALECT_NAMES, dialectOf } from "../../../../../vm/proxy/translate/fit/dialect.ts";
import { fitBody } from "../../../../../vm/proxy/translate/fit/fit.ts";
import type { Body } from "../../../../../vm/proxy/translate/fit/fit_fields.ts";
import type { Made } from "../../../../../vm/proxy/translate/provenance.ts";
import { ownItemId, seal, sealExtra } from "../../../../../vm/proxy/translate/provenance.ts";

const UNKNOWN: Made = () => undefined;

function fit(
  api: string,
  body: Body,
  { dialect = "openai", made = UNKNOWN, model = "gpt-5" } = {},
): { readonly body: Body; readonly said: readonly string[] } {
  const said: string[] = [];
  const kind = api === "messages" ? "anthropic" : "openai";
  const speaks = dialectOf({ kind, baseUrl: "https://up.example/v1", dialect });
  const who = { provider: "up", model, dialect: speaks, made };
  return { body: fitBody(api, body, { ...who, say: (one) => said.push(one) }), said };
}

const TOOL = { type: "function", function: { name: "f", parameters: { type: "object" } } };
const USER = { role: "user", content: "u" };

Deno.test("a body that fits is the same object, for every kind of provider", () => {
  const properties = { a: { type: "string" } };
  const chat = {
    messages: [
      ...[USER, { role: "assistant", content: "a" }, USER],
      // Of a custom tool: it has no function.
      { role: "assistant", tool_calls: [{ id: "a", type: "custom", custom: { input: "x" } }] },
    ],
    tools: [{
      type: "function",
      function: { name: "f", parameters: { type: "object", properties } },
    }],
    tool_choice: "auto",
    stop: ["a", "b"],
    user: "user-1",
  };
  const plain = ["openai", "groq", "xai", "openrouter", "generic"]; // others want more in each call
  const names = DIALECT_NAMES.filter((name) => plain.includes(name));
  for (const dialect of names) assert(fit("chat", chat, { dialect }).body === chat);
  const messages = {
    messages: [USER, { role: "assistant", content: [{ type: "text", text: "a" }] }],
  };
  assert(fit("messages", messages).body === messages);
  const responses = { input: [USER, { type: "message", id: "msg_67c", role: "assistant" }] };
  assert(fit("responses", responses).body === responses);
});

for (const api of ["chat", "responses", "messages"]) {
  Deno.test(`${api}: a choice among no tools, as in Codex's compaction, is not sent`, () => {
    for (const tools of [{}, { tools: [] }]) {
      const { body, said } = fit(api, { ...tools, tool_choice: "auto", messages: [USER] });
      assertEquals(body["tool_choice"], undefined);
      assertEquals(said, ["tool_choice left out: there are no tools"]);
    }
  });
}

Deno.test("Claude Code's JSON, an e-mail and what is too long are hashed, always the same", () => {
  const json = JSON.stringify({ device_id: "d".repeat(64), account_uuid: "", session_id: "s" });
  for (const id of [json, "someone@example.org", "x".repeat(65), "+48 123 456 789"]) {
    const { body, said } = fit("chat", { user: id });
    assertMatch(String(body["user"]), /^user-[0-9a-f]{40}$/);
    assertEquals(
      fit("responses", { safety_identifier: id }).body["safety_identifier"],
      body["user"],
    );
    assertEquals(said, ["user hashed: too long, or more than an id"]);
  }
  assertEquals(fit("chat", { user: "u1" }).body["user"], "u1");
  const metadata = (id: string) => fit("messages", { metadata: { user_id: id } }).body["metadata"];
  assertEquals(metadata(json), { user_id: json }); // Anthropic's own client sends it
  assertMatch(JSON.stringify(metadata("someone@example.org")), /"user-[0-9a-f]{40}"/);
});

Deno.test("an object schema without properties gets them, at every depth", () => {
  const schema = {
    type: "object",
    properties: { a: { type: "object" }, b: { type: "array", items: { type: "object" } } },
    $defs: { c: { anyOf: [{ type: ["object", "null"] }, { type: "string" }] } },
  };
  const filled = {
    type: "object",
    properties: {
      a: { type: "object", properties: {} },
      b: { type: "array", items: { type: "object", properties: {} } },
    },
    $defs: { c: { anyOf: [{ type: ["object", "null"], properties: {} }, { type: "string" }] } },
  };
  const { body } = fit("chat", {
    tools: [TOOL, { type: "function", function: { parameters: schema } }],
  });
  assertEquals(body["tools"], [
    { type: "function", function: { name: "f", parameters: { type: "object", properties: {} } } },
    { type: "function", function: { parameters: filled } },
  ]);
  const flat = { type: "function", name: "f", parameters: { type: "object" } };
  const space = { type: "namespace", name: "n", tools: [flat] };
  const fitted = { ...flat, parameters: { type: "object", properties: {} } };
  assertEquals(fit("responses", { tools: [flat, space] }).body["tools"], [
    fitted,
    { ...space, tools: [fitted] },
  ]);
});

Deno.test("more stop sequences than the provider takes: the first ones, and it is said", () => {
  const stop = ["a", "b", "c", "d", "e", "f"];
  const { body, said } = fit("chat", { stop });
  assertEquals(body["stop"], ["a", "b", "c", "d"]);
  assertEquals(said, ["stop: 2 of 6 left out, the provider takes 4"]);
  assertEquals(fit("chat", { stop }, { dialect: "generic" }).body["stop"], stop);
});

Deno.test("a prefill with trailing blanks goes to Anthropic without them", () => {
  const last = (content: unknown) =>
    fit("messages", { messages: [USER, { role: "assistant", content }] }).body["messages"];
  assertEquals(last("{ \n"), [USER, { role: "assistant", content: "{" }]);
  assertEquals(last([{ type: "text", text: "a " }]), [
    USER,
    { role: "assistant", content: [{ type: "text", text: "a" }] },
  ]);
  assertEquals(last("  "), [USER]);
  assertEquals(last([{ type: "text", text: "\t" }]), [USER]);
});

Deno.test("structured output for Anthropic: objects are closed, limits go into the description", () => {
  const schema = {
    type: "object",
    properties: {
      n: { type: "integer", minimum: 1, maximum: 9, description: "How many." },
      l: { type: "array", items: { oneOf: [{ type: "string", minLength: 2 }] }, minItems: 3 },
      d: { type: "string", format: "date" },
    },
    required: ["n"],
  };
  const { body } = fit("messages", {
    output_config: { effort: "low", format: { type: "json_schema", schema } },
  });
  assertEquals(body["output_config"], {
    effort: "low",
    format: {
      type: "json_schema",
      schema: {
        type: "object",
        properties: {
          n: { type: "integer", description: "How many. {minimum: 1, maximum: 9}" },
          l: {
            type: "array",
            items: { anyOf: [{ type: "string", description: "{minLength: 2}" }] },
            description: "{minItems: 3}",
          },
          d: { type: "string", format: "date" },
        },
        required: ["n"],
        additionalProperties: false,
      },
    },
  });
  const strict = { name: "f", strict: true, input_schema: { type: "object", properties: {} } };
  assertEquals(fit("messages", { tools: [strict] }).body["tools"], [
    { ...strict, input_schema: { ...strict.input_schema, additionalProperties: false } },
  ]);
});

Deno.test("arguments that were cut off in a history are closed, or quoted", () => {
  const call = (text: string) => ({ id: "a", type: "function", function: { arguments: text } });
  const fitted = (text: string): unknown => {
    const message = { role: "assistant", tool_calls: [call(text)] };
    const { messages } = fit("chat", { messages: [message] }).body as {
      messages: [{ tool_calls: [{ function: { arguments: string } }] }];
    };
    return JSON.parse(messages[0].tool_calls[0].function.arguments);
  };
  assertEquals(fitted('{"a": tru'), {});
  assertEquals(fitted('{"a": 1, "b": "Krak'), { a: 1, b: "Krak" });
  assertEquals(fitted('{"a": [1, {"b": "x\\'), { a: [1, { b: "x" }] });
  assertEquals(fitted('{"a": 1, "b"'), { a: 1 });
  assertEquals(fitted("[1]"), { INVALID_JSON: "[1]" });
  assertEquals(fitted("rm -rf"), { INVALID_JSON: "rm -rf" });
  assertEquals(fitted('{"a":1}'), { a: 1 });
  const item = { type: "function_call", call_id: "c", name: "f", arguments: '{"a": "b' };
  assertEquals(fit("responses", { input: [item] }).body["input"], [
    { ...item, arguments: '{"a": "b"}' },
  ]);
});

Deno.test("reasoning_content: kept for those who want it back, removed for those who refuse it", () => {
  const messages = [USER, { role: "assistant", content: "a", reasoning_content: "hm" }];
  const call = { id: "call00000", type: "function", function: { name: "f", arguments: "{}" } };
  const called = [USER, { role: "assistant", content: null, tool_calls: [call] }];
  const history = (dialect: string, sent: unknown) =>
    JSON.stringify(fit("chat", { messages: sent }, { dialect }).body["messages"]);
  for (const dialect of ["openai", "groq", "mistral", "gemini"]) {
    assert(!history(dialect, messages).includes("reasoning"), dialect);
  }
  for (const dialect of ["deepseek", "kimi", "generic", "openrouter", "xai"]) {
    assert(history(dialect, messages).includes('"reasoning_content":"hm"'), dialect);
  }
  for (const dialect of ["deepseek", "kimi"]) {
    assert(history(dialect, called).includes('"reasoning_content":""'), dialect);
  }
});

Deno.test("thought_signature: kept for Gemini, which refuses a call without one; removed for others", () => {
  const extra_content = { google: { thought_signature: "c2ln" } };
  const call = { id: "callx0000", type: "function", function: { name: "f", arguments: "{}" } };
  const signed = [USER, { role: "assistant", tool_calls: [{ ...call, extra_content }] }];
  const bare = [USER, { role: "assistant", tool_calls: [call, call] }];
  const history = (dialect: string, sent: unknown) =>
    JSON.stringify(fit("chat", { messages: sent }, { dialect }).body["messages"]);
  assertEquals(history("gemini", signed), JSON.stringify(signed));
  assertEquals(history("gemini", bare).split("skip_thought_signature_validator").length, 2);
  for (const dialect of ["openai", "deepseek", "mistral"]) {
    assert(!history(dialect, signed).includes("extra_content"), dialect);
  }
});

Deno.test("Mistral wants ids of nine letters: calls keep their results", () => {
  const calls = ["call_a1", "call_b2"].map((id) => ({ id, type: "function", function: {} }));
  const results = ["call_b2", "call_a1"].map((tool_call_id) => ({ role: "tool", tool_call_id }));
  const { body } = fit(
    "chat",
    { messages: [{ role: "assistant", tool_calls: calls }, ...results] },
    {
      dialect: "mistral",
    },
  );
  const ids = [...JSON.stringify(body).matchAll(/"(?:tool_call_)?id":"(\w+)"/g)].map(([, id]) =>
    id
  );
  assertEquals(ids, ["call00000", "call00001", "call00001", "call00000"]);
});

Deno.test("cache_control and a PDF are not sent to those who refuse them; a note stands for the PDF", () => {
  const file = {
    type: "file",
    file: { filename: "a.pdf", file_data: "data:application/pdf;base64,JVBE" },
  };
  const text = { type: "text", text: "t", cache_control: { type: "ephemeral" } };
  const parts = (dialect: string) =>
    JSON.stringify(
      fit("chat", { messages: [{ role: "user", content: [text, file] }] }, { dialect }).body,
    );
  assert(!parts("openai").includes("cache_control") && parts("openai").includes("JVBE"));
  assert(parts("openrouter").includes("cache_control") && parts("openrouter").includes("JVBE"));
  assert(
    !parts("groq").includes("JVBE") && parts("groq").includes('The document \\"a.pdf\\" was left'),
  );
});

Deno.test("thinking that another provider signed, or nobody, is left out for Anthropic", () => {
  const made: Made = (item) => item === "b25lIG9mIGFub3RoZXI=" ? "other" : undefined;
  const thinking = (signature: string) => ({ type: "thinking", thinking: "hm", signature });
  const said = { type: "text", text: "a" };
  const kept = (block: Body) => {
    const messages = [USER, { role: "assistant", content: [block, said] }, USER];
    return JSON.stringify(fit("messages", { messages }, { made }).body).includes("hm");
  };
  assert(kept(thinking("dGhlIG93biBvbmU=")));
  for (const foreign of ["", "b25lIG9mIGFub3RoZXI=", seal("up", ""), seal("other", "x")]) {
    assert(!kept(thinking(foreign)), foreign);
  }
  const redacted = { type: "redacted_thinking", data: sealExtra("c", { maker: "g", fields: {} }) };
  const alone = [USER, { role: "assistant", content: [redacted] }, USER];
  assertEquals(fit("messages", { messages: alone }).body["messages"], [USER, USER]);
});

Deno.test("a tool loop that another provider began is gone on with without a budget for thinking", () => {
  const call = { type: "tool_use", id: "c", name: "f", input: {} };
  const result = { role: "user", content: [{ type: "tool_result", tool_use_id: "c" }] };
  const body = {
    messages: [USER, { role: "assistant", content: [call] }, result],
    thinking: { type: "enabled", budget_tokens: 2000 },
    context_management: { edits: [{ type: "clear_thinking_20251015" }, { type: "other" }] },
  };
  const old = fit("messages", body, { model: "claude-sonnet-4-5" }).body;
  assertEquals([old["thinking"], old["context_management"]], [
    undefined,
    { edits: [{ type: "other" }] },
  ]);
  assertEquals(fit("messages", body, { model: "claude-opus-5" }).body["thinking"], {
    type: "adaptive",
  });
});

Deno.test("thinking is asked for in the way of the model that is asked, not of the alias", () => {
  const adaptive = {
    ...{ thinking: { type: "adaptive", display: "x" }, max_tokens: 32_000 },
    output_config: { effort: "high" },
    context_management: { edits: [{ type: "clear_thinking_20251015" }] },
  };
  const budget = { thinking: { type: "enabled", budget_tokens: 20_000 }, max_tokens: 32_000 };
  const sent = (body: Body, model: string) => {
    const { thinking, output_config } = fit("messages", body, { model }).body;
    return [thinking, output_config];
  };
  const effort = { effort: "high" };
  assertEquals(sent(adaptive, "claude-opus-5"), [adaptive.thinking, effort]);
  assertEquals(sent(adaptive, "claude-opus-4-6"), [adaptive.thinking, effort]);
  const enabled = { type: "enabled", budget_tokens: 16_384 };
  assertEquals(sent(adaptive, "claude-opus-4-5"), [enabled, effort]);
  assertEquals(sent(adaptive, "claude-sonnet-4-5"), [enabled, undefined]);
  assertEquals(sent({ ...adaptive, max_tokens: 1500 }, "claude-sonnet-4-5"), [
    undefined,
    undefined,
  ]);
  const oldest = fit("messages", adaptive, { model: "claude-3-5-haiku-20241022" }).body;
  assertEquals([oldest["thinking"], oldest["context_management"]], [undefined, { edits: [] }]);
  assertEquals(sent(budget, "claude-opus-5"), [{ type: "adaptive" }, effort]);
  assertEquals(sent(budget, "claude-opus-4-6"), [budget.thinking, undefined]);
  assertEquals(sent(adaptive, "deepseek-chat"), [adaptive.thinking, effort]);
});

Deno.test("items of another provider: ids are taken off, its reasoning is left out", () => {
  const made: Made = (item) => item === "rs_0aa" || item === "fc_0aa" ? "other" : undefined;
  const own = [
    { type: "reasoning", id: "rs_0bb", summary: [], encrypted_content: "gAAAAA" },
    { type: "function_call", id: "fc_0bb", call_id: "c", arguments: "{}" },
  ];
  const foreign = [
    { type: "reasoning", id: "rs_0aa", summary: [] },
    { type: "reasoning", id: ownItemId("rs", "resp_ocp_1", 0), summary: [] },
    { type: "reasoning", summary: [] },
    { type: "reasoning", summary: [], encrypted_content: seal("up", "{}") },
  ];
  const named = [
    { type: "message", id: "item_resp_1_0", role: "assistant", content: "a" },
    { type: "function_call", id: "fc_0aa", call_id: "d", arguments: "{}" },
    { type: "message", id: ownItemId("msg", "resp_ocp_1", 1), role: "assistant", content: "b" },
  ];
  const { body } = fit("responses", { input: [...own, ...foreign, ...named] }, { made });
  assertEquals(body["input"], [...own, ...named.map(({ id: _, ...item }) => item)]);
  const stored = [{ type: "reasoning", id: "rs_0bb", summary: [] }];
  assertEquals(fit("responses", { input: stored }).body["input"], stored);
  assertEquals(fit("responses", { input: stored, store: false }).body["input"], []);
});

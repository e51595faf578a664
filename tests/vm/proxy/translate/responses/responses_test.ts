// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The responses API in front of the other two. Shapes: platform.openai.com/docs/api-reference,
 * "Create a model response" and "Streaming events".
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { writeChatRequest } from "../../../../../vm/proxy/translate/chat/chat_request_write.ts";
import type { Completion, StreamEvent } from "../../../../../vm/proxy/translate/completion.ts";
import { completionEvents } from "../../../../../vm/proxy/translate/collect.ts";
import { fault } from "../../../../../vm/proxy/translate/fault.ts";
import { parseJson } from "../../../../../vm/proxy/translate/json_node.ts";
import { seal } from "../../../../../vm/proxy/translate/provenance.ts";
import { readResponsesRequest } from "../../../../../vm/proxy/translate/responses/responses_request_read.ts";
import { writeResponsesResponse } from "../../../../../vm/proxy/translate/responses/responses_response.ts";
import { formsOf } from "../../../../../vm/proxy/translate/responses/responses_tools.ts";
import { createResponsesStreamWriter } from "../../../../../vm/proxy/translate/responses/responses_stream_writer.ts";
import { TranslationError } from "../../../../../vm/proxy/translate/translation_error.ts";
import { dataOf, splitWhole, WHO, writeAll } from "../streams.ts";

function translate(body: Record<string, unknown>) {
  const conversation = readResponsesRequest(
    parseJson(JSON.stringify({ model: "gpt", input: "hi", ...body }), "body"),
  );
  return writeChatRequest(conversation, { maxTokensField: "max_completion_tokens" });
}

Deno.test("responses to chat: as OpenClaw sends it", () => {
  const { body, changes } = translate({
    input: [
      { type: "message", role: "developer", content: [{ type: "input_text", text: "brief" }] },
      {
        type: "message",
        role: "user",
        content: [
          { type: "input_text", text: "see" },
          { type: "input_image", detail: "auto", image_url: "data:image/png;base64,iVBO" },
        ],
      },
      { type: "reasoning", id: "rs_1", summary: [], encrypted_content: "x" },
      {
        type: "message",
        role: "assistant",
        content: [{ type: "output_text", text: "ok", annotations: [] }],
      },
      { type: "function_call", call_id: "call_6", name: "exec", arguments: '{"a":1}' },
      { type: "function_call", call_id: "call_7", name: "read", arguments: "{}" },
      { type: "function_call_output", call_id: "call_6", output: "A" },
      { type: "function_call_output", call_id: "call_7", output: "B" },
    ],
    stream: true,
    max_output_tokens: 8192,
    tools: [{ type: "function", name: "exec", description: "d", parameters: { type: "object" } }],
    reasoning: { effort: "high", summary: "auto" },
    include: ["reasoning.encrypted_content"],
    store: false,
    prompt_cache_key: "k",
  });
  const call = (id: string, name: string, text: string) => ({
    id,
    type: "function",
    function: { name, arguments: text },
  });
  assertEquals(body, {
    prompt_cache_key: "k",
    model: "gpt",
    messages: [
      { role: "system", content: "brief" },
      {
        role: "user",
        content: [
          { type: "text", text: "see" },
          { type: "image_url", image_url: { url: "data:image/png;base64,iVBO", detail: "auto" } },
        ],
      },
      {
        role: "assistant",
        content: "ok",
        tool_calls: [call("call_6", "exec", '{"a":1}'), call("call_7", "read", "{}")],
      },
      { role: "tool", tool_call_id: "call_6", content: "A" },
      { role: "tool", tool_call_id: "call_7", content: "B" },
    ],
    tools: [{
      type: "function",
      function: { name: "exec", description: "d", parameters: { type: "object" } },
    }],
    max_completion_tokens: 8192,
    reasoning_effort: "high",
    stream: true,
    stream_options: { include_usage: true },
  });
  assertEquals(changes, ["reasoning of earlier turns left out"]);
});

Deno.test("responses to chat: a string is a user's message, instructions come first", () => {
  assertEquals(translate({ instructions: "brief" }).body["messages"], [
    { role: "system", content: "brief" },
    { role: "user", content: "hi" },
  ]);
});

Deno.test("responses: what the proxy does not keep, or does not know, is named by its path", () => {
  const refused: readonly (readonly [body: Record<string, unknown>, path: string])[] = [
    [{ previous_response_id: "resp_1" }, "body.previous_response_id"],
    [{ background: true }, "body.background"],
    [{ input: [{ type: "item_reference", id: "msg_1" }] }, "body.input[0].id"],
  ];
  for (const [body, path] of refused) {
    const error = assertThrows(() => translate(body), TranslationError);
    assertEquals(error.path, path);
    assert(error.fix !== "", path);
  }
});

const COMPLETION: Completion = {
  id: "",
  model: "",
  parts: [
    { kind: "thinking", text: "hm", signature: "" },
    { kind: "text", text: "ok" },
    { kind: "tool_call", id: "call_1", name: "exec", arguments: '{"a":1}' },
  ],
  stop: "tool_use",
  usage: {
    inputTokens: 10,
    cachedTokens: 4,
    cacheWriteTokens: 0,
    outputTokens: 5,
    reasoningTokens: 2,
  },
};

Deno.test("the response object, and the same at the end of the stream", () => {
  const response = writeResponsesResponse(COMPLETION, WHO);
  assertEquals(response["status"], "completed");
  assertEquals(response["output"], [
    {
      id: "rs_ocp_id1_0",
      type: "reasoning",
      summary: [{ type: "summary_text", text: "hm" }],
      encrypted_content: seal("up", '{"text":"hm","signature":""}'),
    },
    {
      id: "msg_ocp_id1_1",
      type: "message",
      status: "completed",
      role: "assistant",
      content: [{ type: "output_text", text: "ok", annotations: [] }],
    },
    {
      id: "fc_ocp_id1_2",
      type: "function_call",
      status: "completed",
      call_id: "call1",
      name: "exec",
      arguments: '{"a":1}',
    },
  ]);
  assertEquals(response["usage"], {
    input_tokens: 10,
    input_tokens_details: { cached_tokens: 4 },
    output_tokens: 5,
    output_tokens_details: { reasoning_tokens: 2 },
    total_tokens: 15,
  });
  const text = writeAll(createResponsesStreamWriter(WHO), completionEvents(COMPLETION));
  assertEquals(dataOf(text).at(-1), {
    type: "response.completed",
    sequence_number: splitWhole(text).length - 1,
    response,
  });
});

Deno.test("the stream's events in their order, named and numbered", () => {
  const text = writeAll(createResponsesStreamWriter(WHO), completionEvents(COMPLETION));
  const events = splitWhole(text);
  events.forEach(({ event, data }, i) => {
    const { type, sequence_number } = JSON.parse(data ?? "");
    assertEquals([type, sequence_number], [event, i]);
  });
  assertEquals(events.map(({ event }) => event.replace("response.", "")), [
    "created",
    "in_progress",
    "output_item.added",
    "reasoning_summary_part.added",
    "reasoning_summary_text.delta",
    "reasoning_summary_text.done",
    "reasoning_summary_part.done",
    "output_item.done",
    "output_item.added",
    "content_part.added",
    "output_text.delta",
    "output_text.done",
    "content_part.done",
    "output_item.done",
    "output_item.added",
    "function_call_arguments.delta",
    "function_call_arguments.done",
    "output_item.done",
    "completed",
  ]);
});

Deno.test("mixed calls keep their own arguments; an answer cut short is incomplete", () => {
  const events: StreamEvent[] = [
    { kind: "tool", index: 0, id: "a", name: "f" },
    { kind: "tool", index: 1, id: "b", name: "g" },
    { kind: "arguments", index: 1, fragment: '{"b"' },
    { kind: "arguments", index: 0, fragment: "{}" },
    { kind: "arguments", index: 1, fragment: ":1}" },
    { kind: "stop", reason: "max_tokens" },
    { kind: "end" },
  ];
  const last = JSON.stringify(dataOf(writeAll(createResponsesStreamWriter(WHO), events)).at(-1));
  assert(last.startsWith('{"type":"response.incomplete"'), last);
  assert(last.includes('"reason":"max_output_tokens"'), last);
  const calls = [...last.matchAll(/"name":"(\w)","arguments":"((?:[^"\\]|\\.)*)"/g)];
  assertEquals(calls.map(([, name, text]) => [name, text]), [["f", "{}"], ["g", '{\\"b\\":1}']]);
});

Deno.test("a failure in the middle: response.failed, error, nothing more", () => {
  const writer = createResponsesStreamWriter(WHO);
  const text = writeAll(writer, [
    { kind: "text", text: "a" },
    { kind: "error", fault: fault("overloaded", "later") },
    { kind: "end" },
  ]);
  assertEquals(splitWhole(text).slice(-2).map(({ event }) => event), ["response.failed", "error"]);
  assertEquals(writer.heartbeat(), "");
});

Deno.test("heartbeats of responses change nothing of what the client has gathered", () => {
  const writer = createResponsesStreamWriter(WHO);
  const names = (text: string): string[] => splitWhole(text).map(({ event }) => event);
  assertEquals(names(writer.heartbeat()), ["response.created", "response.in_progress"]);
  writer.write({ kind: "text", text: "a" });
  assertEquals(names(writer.heartbeat()), ["keepalive"]);
});

const CUSTOM = {
  type: "custom",
  name: "patch",
  format: { type: "grammar", definition: "start: X" },
};
const SPACE = {
  ...{ type: "namespace", name: "mcp__fs" },
  tools: [{ type: "function", name: "read", parameters: { type: "object" } }, CUSTOM],
};

Deno.test("Codex's tools are functions elsewhere, and those of OpenAI's servers are left out", () => {
  const { body, changes } = translate({
    tools: [CUSTOM, { type: "local_shell" }, SPACE, { type: "web_search" }, { type: "new_kind" }],
    tool_choice: {
      type: "allowed_tools",
      mode: "auto",
      tools: [{ type: "custom", name: "patch" }],
    },
  });
  const names = (sent: Record<string, unknown>) =>
    (sent["tools"] as { function: { name: string } }[]).map((tool) => tool.function.name);
  assertEquals(names(body), ["patch"]);
  assertEquals(changes, ["tool web_search left out", "tool new_kind left out"]);
  const input = [{ type: "additional_tools", role: "developer", tools: [SPACE] }, {
    ...{ role: "user", content: "u" },
  }];
  const brought = translate({ input, tools: [{ type: "local_shell" }], tool_choice: "auto" }).body;
  assertEquals(names(brought), ["local_shell", "mcp__fs__read", "mcp__fs__patch"]);
  assertEquals([brought["tool_choice"], (brought["messages"] as unknown[]).length], ["auto", 1]);
});

Deno.test("Codex's history: calls of all kinds and their results go on, what only OpenAI reads does not", () => {
  const { body, changes } = translate({
    input: [
      { role: "user", content: "u" },
      { type: "custom_tool_call", call_id: "a", name: "patch", input: "*** Begin" },
      { type: "custom_tool_call_output", call_id: "a", output: "done" },
      {
        ...{ type: "local_shell_call", call_id: "b", status: "completed" },
        action: { type: "exec", command: ["ls"], timeout_ms: 9, env: {} },
      },
      { type: "local_shell_call_output", id: "b", call_id: "b", output: '{"output":"x"}' },
      { type: "function_call", call_id: "c", namespace: "mcp__fs", name: "read", arguments: '{"p' },
      {
        ...{ type: "function_call_output", call_id: "c" },
        output: [{ type: "input_text", text: "r" }, { type: "input_file", file_id: "f" }],
      },
      { type: "web_search_call", id: "ws_1", status: "completed", action: { type: "search" } },
      { type: "compaction", encrypted_content: "gAAAA" },
      { role: "user", content: "go on" },
    ],
  });
  const calls = [
    ...JSON.stringify(body["messages"]).matchAll(/"name":"(\w+)","arguments":("(?:[^"\\]|\\.)*")/g),
  ]
    .map(([, name, text]) => [name, JSON.parse(JSON.parse(text ?? ""))]);
  assertEquals(calls, [
    ["patch", { input: "*** Begin" }],
    ["local_shell", { command: ["ls"], timeout_ms: 9 }],
    ["mcp__fs__read", {}],
  ]);
  assertEquals(changes, [
    ...["broken arguments of a tool call repaired", "document left out"],
    ...["item web_search_call left out", "item compaction left out"],
  ]);
});

Deno.test("calls of Codex's tools come back as its own items, whole and streamed", () => {
  const { tools } = readResponsesRequest({
    value: { model: "m", input: "u", tools: [CUSTOM, { type: "local_shell" }, SPACE] },
    path: "body",
  });
  const call = (name: string, given: Record<string, unknown>) => ({
    ...{ kind: "tool_call" as const, id: name, name, arguments: JSON.stringify(given) },
  });
  const completion: Completion = {
    ...COMPLETION,
    parts: [
      call("patch", { input: "*** Begin" }),
      call("local_shell", { command: ["ls"], workdir: "/" }),
      call("mcp__fs__read", { path: "p" }),
      call("mcp__fs__patch", { wrong: 1 }),
    ],
  };
  const whole = writeResponsesResponse(completion, WHO, formsOf(tools));
  const text = writeAll(
    createResponsesStreamWriter(WHO, formsOf(tools)),
    completionEvents(completion),
  );
  const last = dataOf(text).at(-1) as { response: unknown };
  assertEquals(last.response, whole);
  const done = { status: "completed" };
  assertEquals(whole["output"], [
    {
      ...{ id: "ctc_ocp_id1_0", type: "custom_tool_call", ...done, call_id: "patch" },
      ...{ name: "patch", input: "*** Begin" },
    },
    {
      ...{ id: "lsh_ocp_id1_1", type: "local_shell_call", ...done, call_id: "localshell" },
      action: {
        ...{ type: "exec", command: ["ls"], env: {}, working_directory: "/", timeout_ms: null },
      },
    },
    {
      ...{ id: "fc_ocp_id1_2", type: "function_call", ...done, call_id: "mcpfsread" },
      ...{ namespace: "mcp__fs", name: "read", arguments: '{"path":"p"}' },
    },
    {
      ...{ id: "ctc_ocp_id1_3", type: "custom_tool_call", ...done, call_id: "mcpfspatch" },
      ...{ namespace: "mcp__fs", name: "patch", input: '{"wrong":1}' },
    },
  ]);
  const names = splitWhole(text).map(({ event }) => event);
  assertEquals(names.filter((name) => name === "response.custom_tool_call_input.done").length, 2);
});

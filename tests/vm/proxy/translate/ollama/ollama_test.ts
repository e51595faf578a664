// SPDX-License-Identifier: GPL-2.0-or-later
/** Ollama's chat requests read, and answers written: what no client of the tests can send. @module */

import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { completionEvents } from "../../../../../vm/proxy/translate/collect.ts";
import { type Completion, NO_USAGE } from "../../../../../vm/proxy/translate/completion.ts";
import { readOllamaRequest } from "../../../../../vm/proxy/translate/ollama/ollama_request_read.ts";
import {
  createOllamaStreamWriter,
  writeOllamaResponse,
} from "../../../../../vm/proxy/translate/ollama/ollama_response.ts";
import { TranslationError } from "../../../../../vm/proxy/translate/translation_error.ts";
import { WHO, writeAll } from "../streams.ts";

const read = (fields: Record<string, unknown>) =>
  readOllamaRequest({ value: { model: "m", messages: [], ...fields }, path: "body" });

const call = (name: string, id?: string) => ({
  ...(id === undefined ? {} : { id }),
  function: { name, arguments: {} },
});

Deno.test("ollama: results find their calls by id, by name, or by order", () => {
  const ids = (calls: unknown[], results: unknown[]): unknown[] => {
    const messages = [{ role: "assistant", tool_calls: calls }, ...results];
    return read({ messages }).turns.flatMap((turn) => turn.role === "tool" ? [turn.callId] : []);
  };
  const result = (fields: Record<string, unknown>) => ({ role: "tool", content: "x", ...fields });
  const two = [call("a"), call("b")];
  assertEquals(ids(two, [result({}), result({})]), ["call1", "call2"]);
  assertEquals(ids(two, [result({ tool_name: "b" }), result({ tool_name: "a" })]), [
    ...["call2", "call1"],
  ]);
  assertEquals(ids([call("a", "x1"), call("a", "x2")], [result({ tool_call_id: "x2" })]), ["x2"]);
  assertThrows(() => ids(two, [result({ tool_name: "c" })]), TranslationError, "no tool call");
  assertThrows(() => ids([], [result({})]), TranslationError, "no tool call");
});

Deno.test("ollama: it streams unless told not to, and thinks as told", () => {
  assertEquals([read({}).stream, read({ stream: false }).stream], [true, false]);
  const thinking = (think: unknown) => read({ think }).thinking;
  assertEquals([thinking(undefined), thinking(false)], [undefined, { kind: "off" }]);
  assertEquals([thinking(true), thinking("low")], [
    { kind: "effort", effort: "medium" },
    { kind: "effort", effort: "low" },
  ]);
});

Deno.test("ollama: formats, limits and what is left out", () => {
  assertEquals(read({ format: "json" }).format, { kind: "json_object" });
  assertEquals(read({ format: "" }).format, undefined);
  assertEquals(read({ options: { num_predict: -1 } }).maxTokens, undefined);
  assertEquals(read({ options: { num_ctx: 1 }, shift: false }).changes, [
    ...["shift left out", "num_ctx left out"],
  ]);
  for (
    const [fields, path] of [
      [{ format: "yaml" }, "body.format"],
      [{ messages: [{ role: "wizard" }] }, "body.messages[0].role"],
      [{ options: { stop: [1] } }, "body.options.stop[0]"],
      [{ think: 7 }, "body.think"],
    ] as const
  ) {
    assertEquals(assertThrows(() => read(fields), TranslationError).path, path);
  }
  assertEquals(read({ messages: [{ role: "user", images: ["AAAA"] }] }).changes, [
    "image left out",
  ]);
});

const ANSWER: Completion = {
  ...{ id: "", model: "", stop: "tool_use", usage: { ...NO_USAGE, inputTokens: 3 } },
  parts: [
    { kind: "thinking", text: "hm", signature: "" },
    { kind: "text", text: "a\nb" },
    { kind: "tool_call", id: "call-1", name: "t", arguments: "{broken" },
    { kind: "tool_call", id: "call.1", name: "u", arguments: "" },
  ],
};

Deno.test("ollama: a stream says the same as the whole answer, one object on each line", () => {
  const whole = writeOllamaResponse(ANSWER, WHO);
  assertEquals(whole["message"], {
    ...{ role: "assistant", content: "a\nb", thinking: "hm" },
    tool_calls: [
      { id: "call1", function: { name: "t", arguments: { INVALID_JSON: "{broken" } } },
      { id: "call1x2", function: { name: "u", arguments: {} } },
    ],
  });
  const text = writeAll(createOllamaStreamWriter(WHO), completionEvents(ANSWER));
  const lines = text.trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals(lines.map(({ message }) => message.content).join(""), "a\nb");
  assertEquals(lines.map(({ message }) => message.thinking ?? "").join(""), "hm");
  const { tool_calls } = whole["message"] as { tool_calls: unknown };
  assertEquals(lines.flatMap(({ message }) => message.tool_calls ?? []), tool_calls);
  const { message: _, ...end } = whole;
  const { message: __, ...last } = lines.at(-1);
  assertEquals(last, end);
});

Deno.test("ollama: nothing comes behind an error", () => {
  const writer = createOllamaStreamWriter(WHO);
  const fault = { kind: "server", status: 500, message: "broken" } as const;
  assertStringIncludes(writer.write({ kind: "error", fault }), '{"error":"broken"}\n');
  assertEquals([writer.write({ kind: "end" }), writer.heartbeat()], ["", ""]);
});

// SPDX-License-Identifier: GPL-2.0-or-later
/** A stream is held back until it has content, and an error before that is a failure. */

import { assert, assertEquals } from "@std/assert";
import { UpstreamFailure } from "../../../../vm/proxy/exchange.ts";
import type { Bytes, ByteSource } from "../../../../vm/proxy/bytes.ts";
import { heldUntilContent } from "../../../../vm/proxy/attempt/stream_start.ts";

const data = (json: unknown): string => `data: ${JSON.stringify(json)}\n\n`;
const named = (json: { type: string; [name: string]: unknown }): string =>
  `event: ${json.type}\n${data(json)}`;
const choice = (fields: Record<string, unknown>): string =>
  data({ choices: [{ index: 0, ...fields }] });

/** What a stream may begin with, and no content. */
const EMPTY: readonly string[] = [
  ": OPENROUTER PROCESSING\n\n",
  data({ choices: [], prompt_filter_results: [] }), // Azure
  choice({ delta: { role: "assistant", content: "" }, finish_reason: null }),
  choice({ delta: { role: "assistant", content: null, tool_calls: [], refusal: null } }),
  choice({ delta: null }),
  named({ type: "message_start", message: { content: [], usage: { input_tokens: 1 } } }),
  named({ type: "ping" }),
  named({ type: "content_block_start", index: 0, content_block: { type: "text", text: "" } }),
  named({
    ...{ type: "content_block_start", index: 0 },
    content_block: { type: "thinking", thinking: "", signature: "" },
  }),
  named({ type: "response.created", response: { status: "in_progress" } }),
  named({ type: "response.in_progress", response: {} }),
  named({ type: "response.output_item.added", item: { type: "reasoning", summary: [] } }),
  named({ type: "response.output_item.added", item: { type: "message", content: [] } }),
  named({ type: "response.content_part.added", part: { type: "output_text", text: "" } }),
];

const CONTENT: readonly string[] = [
  choice({ delta: { content: "x" } }),
  choice({ delta: { reasoning_content: "x" } }),
  choice({ delta: { tool_calls: [{ index: 0, id: "c", function: { name: "f" } }] } }),
  choice({ delta: {}, finish_reason: "stop" }),
  choice({ text: "x" }),
  "data: [DONE]\n\n",
  named({ type: "content_block_start", content_block: { type: "tool_use", id: "t", name: "f" } }),
  named({ type: "content_block_delta", delta: { type: "text_delta", text: "x" } }),
  named({ type: "response.output_item.added", item: { type: "function_call", name: "f" } }),
  named({ type: "response.output_text.delta", delta: "x" }),
  named({ type: "response.completed", response: {} }),
  "data: not JSON\n\n",
];

const ERRORS: readonly (readonly [string, string])[] = [
  [data({ error: { message: "Overloaded", type: "overloaded_error" } }), "overloaded"],
  [data({ error: "out of memory" }), "server"],
  [
    named({ type: "error", error: { type: "invalid_request_error", message: "x" } }),
    "invalid_request",
  ],
  [named({ type: "error", message: "x", code: "server_error" }), "server"],
  [named({ type: "response.failed", response: { error: { message: "x" } } }), "server"],
  [choice({ delta: {}, finish_reason: "error", error: { message: "x" } }), "server"],
  [choice({ delta: { content: "" }, finish_reason: "error" }), "server"],
  ["event: error\ndata: upstream broke\n\n", "server"],
];

/** @param pieces one for each read; its end, or a break */
function sourceOf(pieces: readonly string[], breaks = false) {
  let at = 0;
  let cancelled = false;
  const source: ByteSource = {
    read() {
      const piece = pieces[at++];
      if (piece !== undefined) return Promise.resolve(new TextEncoder().encode(piece));
      return breaks ? Promise.reject(new Error("reset")) : Promise.resolve(null);
    },
    cancel: () => void (cancelled = true),
  };
  return { source, reads: () => at, isCancelled: () => cancelled };
}

async function all(source: ByteSource): Promise<string> {
  const pieces: Bytes[] = [];
  for (let bytes; (bytes = await source.read()) !== null;) pieces.push(bytes);
  return await new Blob(pieces).text();
}

for (const content of CONTENT) {
  Deno.test(`begins with ${content.trim().replaceAll("\n", " ").slice(0, 90)}`, async () => {
    const { source, reads } = sourceOf([...EMPTY, content, "rest"]);
    let alive = 0;
    const held = await heldUntilContent(source, () => alive++);
    assertEquals([reads(), alive], [EMPTY.length + 1, EMPTY.length]);
    assertEquals(await all(held), [...EMPTY, content, "rest"].join(""));
  });
}

for (const [error, kind] of ERRORS) {
  Deno.test(`fails before its content with ${error.trim().replaceAll("\n", " ").slice(0, 90)}`, async () => {
    for (
      const pieces of [[error], [...EMPTY, error], [EMPTY.join("") + error], [error.trimEnd()]]
    ) {
      const { source, isCancelled } = sourceOf(pieces);
      const failed = await heldUntilContent(source, () => {}).then(() => null, (found) => found);
      assert(failed instanceof UpstreamFailure, `${failed}`);
      assertEquals([failed.fault.kind, isCancelled()], [kind, true]);
    }
  });
}

Deno.test("a stream that ends or breaks before its content is a failure; a long beginning is not held", async () => {
  for (const breaks of [false, true]) {
    const { source } = sourceOf(EMPTY, breaks);
    const failed = await heldUntilContent(source, () => {}).then(() => null, (found) => found);
    assert(failed instanceof Error);
  }
  const long = sourceOf(Array.from({ length: 100 }, () => `: ${"x".repeat(16_000)}\n\n`));
  await heldUntilContent(long.source, () => {});
  assertEquals(long.reads(), 17);
});

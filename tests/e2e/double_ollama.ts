// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Ollama's OpenAI-compatible API, with its own habits: thoughts as "reasoning", a whole call in
 * one chunk, fields that it does not know passed over (https://docs.ollama.com/api/openai-compatibility).
 *
 * @module
 */

import { type Said, stopOf, textOf, USED } from "./double_said.ts";
import { type Play, sse } from "./proxy_upstream.ts";

const USAGE = {
  ...{ prompt_tokens: USED.input, completion_tokens: USED.output },
  total_tokens: USED.input + USED.output,
};

export const ollamaSays = (said: Said): Play => ({ body }, { gone }) => {
  const stop = stopOf(said);
  const finish = stop === "tool_use" ? "tool_calls" : stop === "max_tokens" ? "length" : "stop";
  const who = {
    id: "chatcmpl-311",
    created: 1,
    model: body["model"],
    system_fingerprint: "fp_ollama",
  };
  const text = textOf(said);
  const calls = (said.calls ?? []).map(({ id, name, arguments: given }, index) => ({
    ...{ id, index, type: "function", function: { name, arguments: JSON.stringify(given) } },
  }));
  const thought = said.thinking === undefined ? {} : { reasoning: said.thinking };
  if (body["stream"] !== true) {
    const message = {
      ...{ role: "assistant", content: text, ...thought },
      ...(calls.length === 0 ? {} : { tool_calls: calls }),
    };
    const choices = [{ index: 0, message, finish_reason: finish }];
    return Response.json({ ...who, object: "chat.completion", choices, usage: USAGE });
  }
  const chunk = (choices: unknown, more: Record<string, unknown> = {}): string =>
    `data: ${JSON.stringify({ ...who, object: "chat.completion.chunk", choices, ...more })}\n\n`;
  const delta = (fields: Record<string, unknown>, finish_reason: string | null = null) =>
    chunk([{ index: 0, delta: { role: "assistant", ...fields }, finish_reason }]);
  const counts = (body["stream_options"] as { include_usage?: boolean } | undefined)
    ?.include_usage;
  return sse([
    ...(said.thinking === undefined ? [] : [delta({ content: "", ...thought })]),
    ...(said.texts ?? []).map((content) => delta({ content })),
    ...(calls.length === 0 ? [] : [delta({ content: "", tool_calls: calls })]),
    delta({ content: "" }, finish),
    ...(counts === true ? [chunk([], { usage: USAGE })] : []),
    "data: [DONE]\n\n",
  ], gone);
};

// SPDX-License-Identifier: GPL-2.0-or-later
/** What the providers' doubles say to an agent: text, or a call of its tool "exec" and then text. @module */

import {
  chunk,
  delta,
  DONE,
  messageEvents,
  pause,
  type Play,
  ROLE,
  type SeenRequest,
  sse,
  STOP,
  USAGE,
} from "../e2e/proxy_upstream.ts";

/** The three APIs of which the doubles answer each in its own words. */
type Api = "chat" | "messages" | "responses";

function apiOf({ path }: SeenRequest): Api {
  if (path.endsWith("/messages")) return "messages";
  return path.endsWith("/responses") ? "responses" : "chat";
}

const event = (type: string, fields: Record<string, unknown>): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;

function textPieces(api: Api, text: string): string[] {
  switch (api) {
    case "chat":
      return [ROLE, delta(text), STOP, USAGE, DONE];
    case "messages":
      return messageEvents(text);
    case "responses":
      return responsesEvents({
        ...{ type: "message", id: "msg_1", role: "assistant", status: "completed" },
        content: [{ type: "output_text", text, annotations: [] }],
      });
    default:
      return api satisfies never;
  }
}

/** A response with one item, as OpenAI streams it. */
function responsesEvents(item: Record<string, unknown>): string[] {
  let sequence_number = 0;
  const next = (type: string, fields: Record<string, unknown>): string =>
    event(type, { sequence_number: sequence_number++, ...fields });
  const response = { id: "resp_1", object: "response", created_at: 1, model: "m", output: [] };
  const usage = { input_tokens: 1000, output_tokens: 100, total_tokens: 1100 };
  const part = (item["content"] as { text: string }[] | undefined)?.[0];
  const at = { item_id: item["id"], output_index: 0 };
  const inside = part === undefined
    ? [
      next("response.function_call_arguments.delta", { ...at, delta: item["arguments"] }),
      next("response.function_call_arguments.done", { ...at, arguments: item["arguments"] }),
    ]
    : [
      next("response.content_part.added", { ...at, content_index: 0, part: { ...part, text: "" } }),
      next("response.output_text.delta", { ...at, content_index: 0, delta: part.text }),
      next("response.output_text.done", { ...at, content_index: 0, text: part.text }),
      next("response.content_part.done", { ...at, content_index: 0, part }),
    ];
  const begun = part === undefined ? { ...item, arguments: "" } : { ...item, content: [] };
  return [
    next("response.created", { response: { ...response, status: "in_progress" } }),
    next("response.in_progress", { response: { ...response, status: "in_progress" } }),
    next("response.output_item.added", {
      output_index: 0,
      item: { ...begun, status: "in_progress" },
    }),
    ...inside,
    next("response.output_item.done", { output_index: 0, item }),
    next("response.completed", {
      response: { ...response, status: "completed", output: [item], usage },
    }),
  ];
}

function callPieces(api: Api, command: string): string[] {
  const call = JSON.stringify({ command });
  switch (api) {
    case "chat":
      return [
        ROLE,
        chunk({
          index: 0,
          delta: {
            tool_calls: [{
              ...{ index: 0, id: "call1a2b", type: "function" },
              function: { name: "exec", arguments: "" },
            }],
          },
          finish_reason: null,
        }),
        chunk({
          index: 0,
          delta: { tool_calls: [{ index: 0, function: { arguments: call } }] },
          finish_reason: null,
        }),
        chunk({ index: 0, delta: {}, finish_reason: "tool_calls" }),
        ...[USAGE, DONE],
      ];
    case "messages":
      return messageEvents("").flatMap((text) => {
        const { type } = JSON.parse(text.slice(text.indexOf("{"))) as { type: string };
        switch (type) {
          case "content_block_start":
            return event(type, {
              index: 0,
              content_block: { type: "tool_use", id: "toolu1a2b", name: "exec", input: {} },
            });
          case "content_block_delta":
            return event(type, {
              index: 0,
              delta: { type: "input_json_delta", partial_json: call },
            });
          default:
            return text.replace("end_turn", "tool_use");
        }
      });
    case "responses":
      return responsesEvents({
        ...{ type: "function_call", id: "fc_1", call_id: "call1a2b", name: "exec" },
        ...{ arguments: call, status: "completed" },
      });
    default:
      return api satisfies never;
  }
}

/** Says `text` in the API that it is asked in. */
export const answers = (text: string): Play => (request, { gone }) =>
  sse(textPieces(apiOf(request), text), gone);

/** The same after a time in which not even a header comes. */
export const answersLate = (text: string, ms: number): Play => async (request, tools) => {
  await pause(ms, tools.gone);
  return await answers(text)(request, tools);
};

/** Begins, says nothing for a time, and goes on. */
export const pausesInside = (text: string, ms: number): Play => (request, { gone }) => {
  const [first = "", ...rest] = textPieces(apiOf(request), text);
  return sse([first, ms, ...rest], gone);
};

/** Calls exec, and then says what the tool printed as far as it begins with "tool says". */
export const usesTool = (): Play => (request, tools) => {
  const printed = toolResult(request);
  if (printed !== null) return answers(`the ${printed}`)(request, tools);
  return sse(callPieces(apiOf(request), "echo tool says $((6*7))"), tools.gone);
};

/** What the tool printed; null if the request holds no result. */
export function toolResult({ body, text }: SeenRequest): string | null {
  const items = (body["messages"] ?? body["input"]) as Record<string, unknown>[];
  const results = items.filter((item) =>
    item["role"] === "tool" || item["type"] === "function_call_output" ||
    (Array.isArray(item["content"]) &&
      item["content"].some((part: Record<string, unknown>) => part["type"] === "tool_result"))
  );
  if (results.length === 0) return null;
  return /tool says \d+/.exec(JSON.stringify(results))?.[0] ?? `nothing of ${text.length} bytes`;
}

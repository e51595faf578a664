// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * POST /v1/responses and /v1/embeddings as OpenAI documents them
 * (https://platform.openai.com/docs/api-reference/responses/create, .../responses-streaming,
 * .../embeddings/create).
 *
 * @module
 */

import {
  fragments,
  type Said,
  stopOf,
  strictly,
  textOf,
  unknownField,
  USED,
} from "./double_said.ts";
import { openAiError } from "./double_openai_chat.ts";
import { type Piece, type Play, sse } from "./proxy_upstream.ts";

const KNOWN = "background context_management conversation include input instructions " +
  "max_output_tokens max_tool_calls metadata model parallel_tool_calls previous_response_id " +
  "prompt prompt_cache_key prompt_cache_retention reasoning safety_identifier service_tier " +
  "store stream stream_options temperature text tool_choice tools top_logprobs top_p " +
  "truncation user";

const USAGE = {
  ...{ input_tokens: USED.input, input_tokens_details: { cached_tokens: USED.cached } },
  ...{ output_tokens: USED.output, output_tokens_details: { reasoning_tokens: USED.thought } },
  total_tokens: USED.input + USED.output,
};

type Fields = Record<string, unknown>;

export const openAiResponse = (said: Said): Play =>
  strictly(
    (body) => {
      const unknown = unknownField(body, KNOWN);
      return unknown === undefined ? null : `Unknown parameter: '${unknown}'.`;
    },
    (message) => openAiError(400, message),
    ({ body }, { gone }) =>
      body["stream"] === true
        ? sse(responsePieces(said), gone)
        : Response.json(finished(said), { headers: { "x-request-id": "req_up" } }),
  );

const response = (status: string, output: unknown[], more: Fields = {}): Fields => ({
  ...{ id: "resp_67cc", object: "response", created_at: 1_795_000_000, status, output },
  ...{ error: null, incomplete_details: null, instructions: null, metadata: {}, model: "up" },
  ...{ parallel_tool_calls: true, temperature: 1, tool_choice: "auto", tools: [], top_p: 1 },
  ...{ usage: null, ...more },
});

const finished = (said: Said): Fields =>
  stopOf(said) === "max_tokens"
    ? response("incomplete", itemsOf(said), {
      ...{ usage: USAGE, incomplete_details: { reason: "max_output_tokens" } },
    })
    : response("completed", itemsOf(said), { usage: USAGE });

const partOf = (text: string): Fields => ({
  type: "output_text",
  text,
  annotations: [],
  logprobs: [],
});

function itemsOf(said: Said): Fields[] {
  const message = {
    ...{ type: "message", id: "msg_67cc", status: "completed", role: "assistant" },
    content: [partOf(textOf(said))],
  };
  const calls = (said.calls ?? []).map(({ id, name, arguments: given }, at) => ({
    ...{ type: "function_call", id: `fc_${at}`, call_id: id, name, status: "completed" },
    arguments: JSON.stringify(given),
  }));
  return [...(said.texts === undefined ? [] : [message]), ...calls];
}

export function responsePieces(said: Said): Piece[] {
  let sequence_number = 0;
  const event = (type: string, fields: Fields): string =>
    `event: ${type}\ndata: ${
      JSON.stringify({ type, sequence_number: sequence_number++, ...fields })
    }\n\n`;
  const pieces = [
    event("response.created", { response: response("in_progress", []) }),
    event("response.in_progress", { response: response("in_progress", []) }),
  ];
  for (const [output_index, item] of itemsOf(said).entries()) {
    const at = { item_id: item["id"], output_index };
    const add = (type: string, fields: Fields): void => {
      pieces.push(event(`response.${type}`, fields));
    };
    if (item["type"] === "message") {
      const place = { ...at, content_index: 0 };
      add("output_item.added", {
        output_index,
        item: { ...item, status: "in_progress", content: [] },
      });
      add("content_part.added", { ...place, part: partOf("") });
      for (const delta of (said.texts ?? []).flatMap(fragments)) {
        add("output_text.delta", { ...place, delta, logprobs: [] });
      }
      add("output_text.done", { ...place, text: textOf(said), logprobs: [] });
      add("content_part.done", { ...place, part: partOf(textOf(said)) });
    } else {
      add("output_item.added", {
        output_index,
        item: { ...item, status: "in_progress", arguments: "" },
      });
      for (const delta of fragments(String(item["arguments"]))) {
        add("function_call_arguments.delta", { ...at, delta });
      }
      add("function_call_arguments.done", {
        ...at,
        name: item["name"],
        arguments: item["arguments"],
      });
    }
    add("output_item.done", { output_index, item });
  }
  const end = finished(said);
  return [...pieces, event(`response.${end["status"]}`, { response: end })];
}

/** Numbers that base64 and JSON carry alike. */
export const VECTOR = [0.5, -0.25, 2];

export const embeds: Play = ({ body }) => {
  const packed = new Uint8Array(new Float32Array(VECTOR).buffer);
  const embedding = body["encoding_format"] === "base64" ? packed.toBase64() : VECTOR;
  return Response.json({
    ...{ object: "list", model: body["model"], usage: { prompt_tokens: 8, total_tokens: 8 } },
    data: [{ object: "embedding", index: 0, embedding }],
  });
};

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * POST /v1/chat/completions as OpenAI documents it, strict about what it is asked
 * (https://platform.openai.com/docs/api-reference/chat/create, .../chat/object,
 * .../chat-streaming/streaming; errors: https://platform.openai.com/docs/guides/error-codes).
 *
 * @module
 */

import {
  type Called,
  fragments,
  isRecord,
  records,
  type Said,
  stopOf,
  strictly,
  textOf,
  unknownField,
  USED,
} from "./double_said.ts";
import { type Piece, type Play, sse } from "./proxy_upstream.ts";

const KNOWN =
  "messages model audio frequency_penalty logit_bias logprobs max_completion_tokens max_tokens " +
  "metadata modalities moderation n parallel_tool_calls prediction presence_penalty " +
  "prompt_cache_key prompt_cache_retention reasoning_effort response_format safety_identifier " +
  "seed service_tier stop store stream stream_options temperature tool_choice tools " +
  "top_logprobs top_p user verbosity web_search_options";

export const openAiError = (
  status: number,
  message: string,
  { code = null, param = null, headers = {} }: {
    readonly code?: string | null;
    readonly param?: string | null;
    readonly headers?: Readonly<Record<string, string>>;
  } = {},
): Response =>
  Response.json(
    {
      error: {
        message,
        type: status < 500 ? "invalid_request_error" : "server_error",
        param,
        code,
      },
    },
    { status, headers: { "x-request-id": "req_up", ...headers } },
  );

const KNOWN_IN_MESSAGES = "role content name tool_calls tool_call_id refusal audio function_call";
const KNOWN_IN_CALLS = "id type function custom";

/** What OpenAI refuses; null if it would answer. */
export function checkChat(body: Readonly<Record<string, unknown>>): string | null {
  const unknown = unknownField(body, KNOWN);
  if (unknown !== undefined) return `Unrecognized request argument supplied: ${unknown}`;
  return checkTools(body) ?? checkUser(body) ?? checkStop(body["stop"]) ??
    checkMessages(records(body["messages"]));
}

/** Of both of OpenAI's APIs. */
export function checkTools(body: Readonly<Record<string, unknown>>): string | null {
  const { tools, tool_choice, parallel_tool_calls } = body;
  if (Array.isArray(tools) && tools.length === 0) return "[] is too short - 'tools'";
  if (tools === undefined && parallel_tool_calls !== undefined) {
    return "'parallel_tool_calls' is only allowed when 'tools' are specified.";
  }
  if (tools === undefined && tool_choice !== undefined) {
    return "'tool_choice' is only allowed when 'tools' are specified.";
  }
  for (const tool of records(tools)) {
    const called = isRecord(tool["function"]) ? tool["function"] : tool;
    const { parameters } = called;
    if (isRecord(parameters) && parameters["type"] === "object" && !("properties" in parameters)) {
      return `Invalid schema for function '${called["name"]}': object schema missing properties.`;
    }
  }
  return null;
}

/** Of both of OpenAI's APIs. */
export function checkUser(body: Readonly<Record<string, unknown>>): string | null {
  for (const name of ["user", "safety_identifier"]) {
    const id = String(body[name] ?? "");
    if (id.length > 64) return `Invalid '${name}': string too long. Maximum length 64.`;
  }
  return null;
}

const checkStop = (stop: unknown): string | null =>
  Array.isArray(stop) && stop.length > 4
    ? "Invalid 'stop': array too long. Expected an array with maximum length 4."
    : null;

function checkMessages(messages: readonly Readonly<Record<string, unknown>>[]): string | null {
  const open = new Set<unknown>();
  for (const [at, message] of messages.entries()) {
    const { role, content, tool_calls, tool_call_id } = message;
    const unknown = unknownField(message, KNOWN_IN_MESSAGES) ??
      records(tool_calls).flatMap((call) => unknownField(call, KNOWN_IN_CALLS) ?? [])[0] ??
      records(content).flatMap((part) => "cache_control" in part ? ["cache_control"] : [])[0];
    if (unknown !== undefined) return `Unknown parameter: 'messages[${at}].${unknown}'.`;
    if (role === "tool" && !open.delete(tool_call_id)) {
      return "messages with role 'tool' must be a response to a preceding message with 'tool_calls'.";
    }
    if (role !== "tool" && open.size > 0) {
      return "An assistant message with 'tool_calls' must be followed by tool messages.";
    }
    for (const call of records(tool_calls)) open.add(call["id"]);
  }
  return null;
}

const FINISH: ReadonlyMap<string, string> = new Map([
  ["tool_use", "tool_calls"],
  ["max_tokens", "length"],
  ["model_context_window_exceeded", "length"],
  ["refusal", "content_filter"],
]);

const finishOf = (said: Said): string => FINISH.get(stopOf(said)) ?? "stop";

const USAGE = {
  prompt_tokens: USED.input,
  completion_tokens: USED.output,
  total_tokens: USED.input + USED.output,
  prompt_tokens_details: { cached_tokens: USED.cached, audio_tokens: 0 },
  completion_tokens_details: {
    ...{ reasoning_tokens: USED.thought, audio_tokens: 0 },
    ...{ accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
  },
};

const WHO = { id: "chatcmpl-BUp1", created: 1_795_000_000, service_tier: "default" };

export const openAiChat = (said: Said): Play =>
  strictly(checkChat, (message) => openAiError(400, message), ({ body }, { gone }) => {
    const model = body["model"];
    if (body["stream"] === true) return sse(chatPieces(said, body), gone);
    return Response.json({
      ...WHO,
      ...{ object: "chat.completion", model, system_fingerprint: "fp_1", usage: USAGE },
      choices: [{
        index: 0,
        logprobs: null,
        finish_reason: finishOf(said),
        message: message(said),
      }],
    }, { headers: { "x-request-id": "req_up" } });
  });

function message(said: Said): Record<string, unknown> {
  const calls = said.calls ?? [];
  const text = textOf(said);
  return {
    ...{ role: "assistant", content: text === "" ? null : text, refusal: null, annotations: [] },
    ...(calls.length === 0 ? {} : { tool_calls: calls.map(callOf) }),
  };
}

const callOf = ({ id, name, arguments: given }: Called) => ({
  ...{ id, type: "function", function: { name, arguments: JSON.stringify(given) } },
});

/** Each chunk is one piece; the arguments of several calls come mixed. */
export function chatPieces(
  said: Said,
  body: Readonly<Record<string, unknown>> = {},
): Piece[] {
  const options = body["stream_options"] as { include_usage?: boolean } | undefined;
  const counts = options?.include_usage === true;
  const chunk = (choices: unknown, usage: unknown = null): string =>
    `data: ${
      JSON.stringify({
        ...{ ...WHO, object: "chat.completion.chunk", model: body["model"] ?? "m" },
        ...{ system_fingerprint: "fp_1", choices, ...(counts ? { usage } : {}), obfuscation: "x7" },
      })
    }\n\n`;
  const delta = (fields: Record<string, unknown>, finish_reason: string | null = null): string =>
    chunk([{ index: 0, delta: fields, logprobs: null, finish_reason }]);
  const calls = said.calls ?? [];
  const texts = said.texts ?? [];
  return [
    delta({
      role: "assistant",
      content: calls.length > 0 && texts.length === 0 ? null : "",
      refusal: null,
    }),
    ...texts.flatMap(fragments).map((content) => delta({ content })),
    ...callDeltas(calls).map((call) => delta({ tool_calls: [call] })),
    delta({}, finishOf(said)),
    ...(counts ? [chunk([], USAGE)] : []),
    "data: [DONE]\n\n",
  ];
}

function callDeltas(calls: readonly Called[]): Record<string, unknown>[] {
  const begin = calls.map(({ id, name }, index) => ({
    ...{ index, id, type: "function", function: { name, arguments: "" } },
  }));
  const pieces = calls.map((call) => fragments(JSON.stringify(call.arguments)));
  const longest = Math.max(0, ...pieces.map(({ length }) => length));
  const mixed = Array.from(
    { length: longest },
    (_, at) =>
      pieces.flatMap((own, index) =>
        own[at] === undefined ? [] : [{ index, function: { arguments: own[at] } }]
      ),
  ).flat();
  return [...begin, ...mixed];
}

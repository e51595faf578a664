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
  records,
  type Said,
  stopOf,
  strictly,
  textOf,
  unknownField,
  USED,
} from "./double_said.ts";
import { checkTools, checkUser, openAiError } from "./double_openai_chat.ts";
import { type Piece, type Play, sse } from "./proxy_upstream.ts";

const KNOWN =
  "background client_metadata context_management conversation include input instructions " +
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

export const ENCRYPTED = "gAAAAABpOpenAIsOwnReasoning0123456789abcdefghij==";

const OWN_ID = "67cc";
/** What came before it is looked up by this, so no two may have the same. */
let answers = 0;
const PREFIXES: Readonly<Record<string, string>> = {
  ...{ message: "msg", reasoning: "rs", function_call: "fc", custom_tool_call: "ctc" },
};

const LOOKED_FOR: ReadonlySet<unknown> = new Set(["reasoning", "function_call", "item_reference"]);

/** What OpenAI refuses; null if it would answer. It knows only items that it made. */
export function checkResponses(body: Readonly<Record<string, unknown>>): string | null {
  const unknown = unknownField(body, KNOWN);
  if (unknown !== undefined) return `Unknown parameter: '${unknown}'.`;
  const previous = body["previous_response_id"];
  if (typeof previous === "string" && !previous.startsWith(`resp_${OWN_ID}`)) {
    return `Previous response with id '${previous}' not found.`;
  }
  const brought = records(body["input"]).find(({ type }) => type === "additional_tools");
  const tools = body["tools"] ?? brought?.["tools"];
  return checkTools(tools === undefined ? body : { ...body, tools }) ?? checkUser(body) ??
    checkInput(records(body["input"]), body);
}

function checkInput(
  input: readonly Readonly<Record<string, unknown>>[],
  body: Readonly<Record<string, unknown>>,
): string | null {
  const calls = new Set<unknown>();
  for (const [at, item] of input.entries()) {
    const { id, type = "message", call_id, encrypted_content } = item;
    const prefix = PREFIXES[String(type)];
    if (typeof id === "string" && prefix !== undefined && !id.startsWith(prefix)) {
      return `Invalid 'input[${at}].id': '${id}'. Expected an ID that begins with '${prefix}'.`;
    }
    // Others may have any, Codex makes up its own; these are looked for.
    if (typeof id === "string" && LOOKED_FOR.has(type) && !id.includes(OWN_ID)) {
      return `Item with id '${id}' not found.`;
    }
    if (type === "reasoning") {
      if (encrypted_content === undefined && (id === undefined || body["store"] === false)) {
        return `Item with id '${id}' not found. Items are not persisted when store is false.`;
      }
      if (encrypted_content !== undefined && encrypted_content !== ENCRYPTED) {
        return "The encrypted content could not be verified.";
      }
    }
    if (type === "function_call") calls.add(call_id);
    if (
      type === "function_call_output" && !calls.has(call_id) &&
      body["previous_response_id"] === undefined &&
      !input.some((other) => other["type"] === "item_reference")
    ) {
      return `No tool call found for function call output with call_id ${call_id}.`;
    }
  }
  return null;
}

export const openAiResponse = (said: Said): Play =>
  strictly(
    checkResponses,
    (message) => openAiError(400, message),
    ({ body }, { gone }) =>
      body["stream"] === true
        ? sse(responsePieces(said), gone)
        : Response.json(finished(said, newId()), { headers: { "x-request-id": "req_up" } }),
  );

const newId = (): string => `resp_${OWN_ID}${answers++}`;

const response = (id: string, status: string, output: unknown[], more: Fields = {}): Fields => ({
  ...{ id, object: "response", created_at: 1_795_000_000, status, output },
  ...{ error: null, incomplete_details: null, instructions: null, metadata: {}, model: "up" },
  ...{ parallel_tool_calls: true, temperature: 1, tool_choice: "auto", tools: [], top_p: 1 },
  ...{ usage: null, ...more },
});

const finished = (said: Said, id: string): Fields =>
  stopOf(said) === "max_tokens"
    ? response(id, "incomplete", itemsOf(said), {
      ...{ usage: USAGE, incomplete_details: { reason: "max_output_tokens" } },
    })
    : response(id, "completed", itemsOf(said), { usage: USAGE });

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
  const calls = (said.calls ?? []).map((call, at) => {
    const { id: call_id, name, arguments: given, namespace, input } = call;
    const space = namespace === undefined ? {} : { namespace };
    const same = { call_id, ...space, name, status: "completed" };
    return input === undefined
      ? { type: "function_call", id: `fc_67cc${at}`, ...same, arguments: JSON.stringify(given) }
      : { type: "custom_tool_call", id: `ctc_67cc${at}`, ...same, input };
  });
  const reasoning = {
    ...{ type: "reasoning", id: "rs_67cc", encrypted_content: ENCRYPTED },
    summary: [{ type: "summary_text", text: said.thinking ?? "" }],
  };
  return [
    ...(said.thinking === undefined ? [] : [reasoning]),
    ...(said.texts === undefined ? [] : [message]),
    ...calls,
  ];
}

export function responsePieces(said: Said): Piece[] {
  const id = newId();
  let sequence_number = 0;
  const event = (type: string, fields: Fields): string =>
    `event: ${type}\ndata: ${
      JSON.stringify({ type, sequence_number: sequence_number++, ...fields })
    }\n\n`;
  const pieces = [
    event("response.created", { response: response(id, "in_progress", []) }),
    event("response.in_progress", { response: response(id, "in_progress", []) }),
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
    } else if (item["type"] === "reasoning") {
      add("output_item.added", { output_index, item: { ...item, summary: [] } });
    } else if (item["type"] === "custom_tool_call") {
      add("output_item.added", { output_index, item: { ...item, input: "" } });
      for (const delta of fragments(String(item["input"]))) {
        add("custom_tool_call_input.delta", { ...at, delta });
      }
      add("custom_tool_call_input.done", { ...at, input: item["input"] });
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
  const end = finished(said, id);
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

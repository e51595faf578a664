// SPDX-License-Identifier: GPL-2.0-or-later
/** A body of the messages API as Anthropic takes it. @module */

import { type Body, type Fit, mapObjects, withFields, withoutIdleChoice } from "./fit_fields.ts";
import { forAnthropicOutput } from "./fit_schema.ts";
import { fitThinking } from "./fit_thinking.ts";
import { isObject } from "../../../settings/shape.ts";
import { isOwn } from "../provenance.ts";
import { fitAnthropicUserId } from "./user_id.ts";

export function fitMessages(body: Body, fit: Fit): Body {
  const fitted = withFields(withoutIdleChoice(body, fit), {
    messages: withoutTrailingBlanks(ownThinking(body["messages"], fit), fit),
    tools: fitTools(body["tools"]),
    metadata: fitMetadata(body["metadata"], fit),
    output_config: fitOutput(body["output_config"], fit),
  });
  return fitThinking(fitted, fit);
}

/** Anthropic rejects thinking that is unsigned or signed by another provider. */
function ownThinking(messages: unknown, { provider, made, say }: Fit): unknown {
  return mapObjects(messages, (message) => {
    if (message["role"] !== "assistant") return message;
    const content = mapObjects(message["content"], (block) => {
      const item = block["type"] === "thinking"
        ? block["signature"] ?? ""
        : block["type"] === "redacted_thinking"
        ? block["data"]
        : null;
      if (typeof item !== "string" || isOwn(item, provider, made)) return block;
      say("thinking of another provider left out");
      return undefined;
    });
    if (Array.isArray(content) && content.length === 0) return undefined; // it was all thinking
    return withFields(message, { content });
  });
}

/** "final assistant content cannot end with trailing whitespace" */
function withoutTrailingBlanks(messages: unknown, { say }: Fit): unknown {
  if (!Array.isArray(messages)) return messages;
  const last: unknown = messages.at(-1);
  if (!isObject(last) || last["role"] !== "assistant") return messages;
  const content = trimmed(last["content"]);
  if (content === last["content"]) return messages;
  say("blanks at the end of the last message left out");
  const before = messages.slice(0, -1);
  const isEmpty = content === "" || (Array.isArray(content) && content.length === 0);
  return isEmpty ? before : [...before, { ...last, content }];
}

function trimmed(content: unknown): unknown {
  if (typeof content === "string") return content.trimEnd();
  if (!Array.isArray(content)) return content;
  const last: unknown = content.at(-1);
  if (!isObject(last) || last["type"] !== "text" || typeof last["text"] !== "string") {
    return content;
  }
  const text = last["text"].trimEnd();
  if (text === last["text"]) return content;
  return [...content.slice(0, -1), ...(text === "" ? [] : [{ ...last, text }])];
}

/** Strict tools follow the rules of structured output. */
function fitTools(tools: unknown): unknown {
  return mapObjects(tools, (tool) => {
    const schema = tool["input_schema"];
    return tool["strict"] === true && isObject(schema)
      ? withFields(tool, { input_schema: forAnthropicOutput(schema) })
      : tool;
  });
}

function fitMetadata(metadata: unknown, { say }: Fit): unknown {
  if (!isObject(metadata) || typeof metadata["user_id"] !== "string") return metadata;
  const id = fitAnthropicUserId(metadata["user_id"]);
  if (id !== metadata["user_id"]) say("metadata.user_id hashed: too long, or more than an id");
  return withFields(metadata, { user_id: id });
}

function fitOutput(config: unknown, { say }: Fit): unknown {
  if (!isObject(config) || !isObject(config["format"])) return config;
  const { format } = config;
  if (!isObject(format["schema"])) return config;
  const schema = forAnthropicOutput(format["schema"]);
  if (schema !== format["schema"]) say("json_schema: made fit for Anthropic");
  return withFields(config, { format: withFields(format, { schema }) });
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** A chat completions body as this provider takes it. @module */

import { documentNote } from "../document.ts";
import { type Body, type Fit, mapObjects, withFields, withoutIdleChoice } from "./fit_fields.ts";
import { withProperties } from "./fit_schema.ts";
import { isObject } from "../../../settings/shape.ts";
import { repairedArguments } from "./repair_json.ts";
import { createPatternIds } from "../tool_ids.ts";
import { fitUserId } from "./user_id.ts";

export function fitChat(body: Body, fit: Fit): Body {
  const { refused } = fit.dialect;
  const left = refused.filter((name) => Object.hasOwn(body, name));
  for (const name of left) fit.say(`${name} left out: not taken by this provider`);
  const known = withFields(body, Object.fromEntries(left.map((name) => [name, undefined])));
  return withFields(withoutIdleChoice(known, fit), {
    ...fitUser(known, fit, ["user", "safety_identifier"]),
    messages: fitMessages(known["messages"], fit),
    ...(isFilled(known["tools"]) ? { tools: fitTools(known["tools"], fit) } : {}),
    stop: fitStop(known["stop"], fit),
  });
}

const isFilled = (list: unknown): boolean => Array.isArray(list) && list.length > 0;

/** Those of the named fields that hold a user's id. */
export function fitUser(body: Body, fit: Fit, names: readonly string[]): Body {
  return Object.fromEntries(
    names.flatMap((name): [string, string][] => {
      const id = body[name];
      if (typeof id !== "string") return [];
      const fitted = fitUserId(id);
      if (fitted !== id) fit.say(`${name} hashed: too long, or more than an id`);
      return [[name, fitted]];
    }),
  );
}

function fitTools(tools: unknown, { dialect }: Fit): unknown {
  return mapObjects(tools, (tool) => {
    const called = tool["function"];
    if (!isObject(called)) return tool;
    const { parameters } = called;
    const schema = isObject(parameters) ? withProperties(parameters) : parameters;
    const marks = dialect.cacheMarks === "refused" ? { cache_control: undefined } : {};
    return withFields(tool, { ...marks, function: withFields(called, { parameters: schema }) });
  });
}

function fitStop(stop: unknown, { dialect, say }: Fit): unknown {
  if (!Array.isArray(stop) || stop.length <= dialect.maxStops) return stop;
  say(
    `stop: ${stop.length - dialect.maxStops} of ${stop.length} left out, the provider takes ` +
      `${dialect.maxStops}`,
  );
  return stop.slice(0, dialect.maxStops);
}

function fitMessages(messages: unknown, fit: Fit): unknown {
  const { callId } = fit.dialect;
  const ids = callId === null ? null : createPatternIds(callId);
  return mapObjects(messages, (message) => {
    const isPlain = message["role"] !== "assistant" && typeof message["content"] === "string";
    if (isPlain && ids === null) return message; // most of them
    const content = mapObjects(message["content"], (part) => fitPart(part, fit));
    if (message["role"] === "assistant") return fitAssistant(message, content, ids, fit);
    const id = message["tool_call_id"];
    return withFields(message, {
      content,
      ...(ids !== null && typeof id === "string" ? { tool_call_id: ids(id) } : {}),
    });
  });
}

function fitPart(part: Body, { dialect, say }: Fit): Body {
  if (part["type"] === "file" && dialect.files === "refused") {
    say("documents left out");
    const file = isObject(part["file"]) ? part["file"] : {};
    const name = typeof file["filename"] === "string" ? file["filename"] : "";
    return { type: "text", text: documentNote(name) };
  }
  if (dialect.cacheMarks === "refused" && part["cache_control"] !== undefined) {
    say("cache_control left out");
    return withFields(part, { cache_control: undefined });
  }
  return part;
}

const THOUGHTS = ["reasoning_content", "reasoning", "reasoning_details"] as const;

function fitAssistant(
  message: Body,
  content: unknown,
  ids: ((id: string) => string) | null,
  { dialect, say }: Fit,
): Body {
  const fields: Record<string, unknown> = { content };
  if (dialect.reasoning === "refused") {
    const left = THOUGHTS.filter((name) => message[name] !== undefined);
    for (const name of left) fields[name] = undefined;
    if (left.length > 0) say("reasoning of earlier turns left out");
  }
  const calls = message["tool_calls"];
  if (dialect.reasoning === "wanted" && isFilled(calls)) {
    fields["reasoning_content"] = message["reasoning_content"] ?? message["reasoning"] ?? "";
  }
  fields["tool_calls"] = mapObjects(calls, (call, at) => {
    const called = call["function"];
    const text = isObject(called) ? called["arguments"] : undefined;
    const whole = typeof text === "string" ? repairedArguments(text) : text;
    if (whole !== text) say("tool_calls: broken arguments repaired");
    const id = call["id"];
    return withFields(call, {
      function: isObject(called)
        ? withFields(called, { arguments: whole === "" ? "{}" : whole })
        : called,
      ...(ids !== null && typeof id === "string" ? { id: ids(id) } : {}),
      extra_content: thoughtSignature(call["extra_content"], at, dialect.thoughtSignatures),
    });
  });
  return withFields(message, fields);
}

/** Documented for calls made by other models: Gemini rejects a turn whose first call has no signature. */
const NO_SIGNATURE = { google: { thought_signature: "skip_thought_signature_validator" } };

function thoughtSignature(
  extra: unknown,
  at: number,
  habit: Fit["dialect"]["thoughtSignatures"],
): unknown {
  if (habit === "refused") return undefined;
  return habit === "wanted" && at === 0 ? extra ?? NO_SIGNATURE : extra;
}

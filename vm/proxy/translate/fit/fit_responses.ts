// SPDX-License-Identifier: GPL-2.0-or-later
/** A responses body as OpenAI takes it. @module */

import { type Body, type Fit, mapObjects, withFields, withoutIdleChoice } from "./fit_fields.ts";
import { fitUser } from "./fit_chat.ts";
import { withProperties } from "./fit_schema.ts";
import { isObject } from "../../../settings/shape.ts";
import { isItemId, isOwn } from "../provenance.ts";
import { repairedArguments } from "./repair_json.ts";
import { ADDITIONAL } from "../responses/responses_tools.ts";
import { createShortIds } from "../tool_ids.ts";

/** Longest call_id that OpenAI takes. */
const MAX_CALL_ID_CHARS = 64;

export function fitResponses(body: Body, fit: Fit): Body {
  const { tools } = body;
  const named = Array.isArray(tools) && tools.length > 0 ? { tools: fitTools(tools) } : {};
  return withFields(bringsTools(body["input"]) ? body : withoutIdleChoice(body, fit), {
    ...fitUser(body, fit, ["user", "safety_identifier"]),
    ...named,
    input: fitItems(body["input"], body["store"] === false, fit),
  });
}

/** Codex puts its tools into an item. */
const bringsTools = (input: unknown): boolean =>
  Array.isArray(input) &&
  input.some((item: unknown) => isObject(item) && item["type"] === ADDITIONAL);

function fitTools(tools: unknown): unknown {
  return mapObjects(tools, (tool) => {
    const { parameters, tools: inner } = tool;
    return withFields(tool, {
      parameters: isObject(parameters) ? withProperties(parameters) : parameters,
      tools: fitTools(inner), // of a namespace
    });
  });
}

/**
 * @param unkept the provider stores no items: only the encrypted content identifies reasoning
 */
function fitItems(input: unknown, unkept: boolean, fit: Fit): unknown {
  const shortId = createShortIds(MAX_CALL_ID_CHARS);
  return mapObjects(input, (item) => {
    const type = typeof item["type"] === "string" ? item["type"] : "message";
    if (type === "reasoning" && !isOwnReasoning(item, unkept, fit)) {
      fit.say("reasoning of another provider left out");
      return undefined;
    }
    const { id, call_id, arguments: text } = item;
    const whole = typeof text === "string" ? repairedArguments(text) : text;
    if (whole !== text) fit.say("function_call: broken arguments repaired");
    const isRef = type === "item_reference" || typeof id !== "string";
    if (type === ADDITIONAL) return withFields(item, { tools: fitTools(item["tools"]) });
    return withFields(item, {
      ...(isRef || isItemId(type, id, fit.provider, fit.made) ? {} : { id: undefined }),
      ...(typeof call_id === "string" ? { call_id: shortId(call_id) } : {}),
      ...(typeof text === "string" ? { arguments: whole } : {}),
    });
  });
}

function isOwnReasoning(item: Body, unkept: boolean, { provider, made }: Fit): boolean {
  const { id, encrypted_content } = item;
  if (typeof encrypted_content === "string") return isOwn(encrypted_content, provider, made);
  return !unkept && typeof id === "string" && isItemId("reasoning", id, provider, made);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The last step of every body, written by us or the client's own: what the provider is known to
 * refuse is taken out or put right, and said. A body that fits comes back as the same object.
 *
 * @module
 */

import type { Dialect } from "./dialect.ts";
import { fitChat } from "./fit_chat.ts";
import { fitMessages } from "./fit_messages.ts";
import { fitResponses } from "./fit_responses.ts";
import { isObject } from "./json_node.ts";
import type { Made } from "./provenance.ts";

export type Body = Readonly<Record<string, unknown>>;

/** Whom a body has to fit. */
export interface Fit {
  /** The provider's name in the configuration. */
  readonly provider: string;
  /** Its name of the model that is asked. */
  readonly model: string;
  readonly dialect: Dialect;
  readonly made: Made;
  /** Says what was changed; no content. */
  readonly say: (change: string) => void;
}

const FITTERS: ReadonlyMap<string, (body: Body, fit: Fit) => Body> = new Map([
  ["chat", fitChat],
  ["messages", fitMessages],
  ["count_tokens", fitMessages],
  ["responses", fitResponses],
]);

/** @param api of the provider */
export function fitBody(api: string, body: Body, fit: Fit): Body {
  return FITTERS.get(api)?.(body, fit) ?? body;
}

/** The list with each of its objects changed; undefined takes one out. Same list if none changed. */
export function mapObjects(
  untrusted: unknown,
  change: (one: Body, at: number) => Body | undefined,
): unknown {
  if (!Array.isArray(untrusted)) return untrusted;
  let changed = false;
  const next = untrusted.flatMap((one: unknown, at): unknown[] => {
    if (!isObject(one)) return [one];
    const made = change(one, at);
    changed ||= made !== one;
    return made === undefined ? [] : [made];
  });
  return changed ? next : untrusted;
}

/** The body with other values of these fields; undefined takes one out. Same body if none changed. */
export function withFields(body: Body, fields: Body): Body {
  const changed = Object.keys(fields).filter((key) => fields[key] !== body[key]);
  if (changed.length === 0) return body;
  const made: Record<string, unknown> = { ...body };
  for (const key of changed) {
    if (fields[key] === undefined) delete made[key];
    else made[key] = fields[key];
  }
  return made;
}

/** A choice among no tools is an error everywhere, and so is an empty list of them. */
export function withoutIdleChoice(body: Body, fit: Fit): Body {
  const { tools, tool_choice, parallel_tool_calls } = body;
  if (Array.isArray(tools) && tools.length > 0) return body;
  if (tool_choice !== undefined || parallel_tool_calls !== undefined) {
    fit.say("tool_choice left out: there are no tools");
  }
  return withFields(body, {
    ...{ tools: undefined, tool_choice: undefined, parallel_tool_calls: undefined },
  });
}

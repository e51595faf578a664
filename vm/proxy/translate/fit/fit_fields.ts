// SPDX-License-Identifier: GPL-2.0-or-later
/** What a body is made to fit, and how its fields are changed: never in place. @module */

import type { Dialect } from "./dialect.ts";
import { isObject } from "../../../settings/shape.ts";
import type { Made } from "../provenance.ts";

export type Body = Readonly<Record<string, unknown>>;

/** The target that a body has to fit. */
export interface Fit {
  /** The provider's name in the configuration. */
  readonly provider: string;
  /** The model's name there. */
  readonly model: string;
  readonly dialect: Dialect;
  readonly made: Made;
  /** Reports a change; never content. */
  readonly say: (change: string) => void;
}

/** Maps the objects of a list; undefined removes one. Returns the same list if nothing changed. */
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

/** Sets these fields; undefined removes one. Returns the same body if nothing changed. */
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

/** Every provider rejects a tool choice without tools, and an empty list of tools. */
export function withoutIdleChoice(body: Body, fit: Fit): Body {
  const { tools, tool_choice, parallel_tool_calls } = body;
  if (Array.isArray(tools) && tools.length > 0) return body;
  if (tool_choice !== undefined || parallel_tool_calls !== undefined) {
    fit.say("tool_choice left out: there are no tools");
  }
  return withFields(body, {
    tools: undefined,
    tool_choice: undefined,
    parallel_tool_calls: undefined,
  });
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A stream of chat completions says what it cost only if it is asked to (stream_options). Where a
 * price or a limit applies the proxy asks, and takes the answer out again: it is a chunk of its own,
 * without a choice, which a client that did not ask for it may not expect.
 *
 * @module
 */

import type { Bytes } from "../bytes.ts";
import { parsedObject } from "../translate/json_node.ts";
import { isObject } from "../../settings/shape.ts";

/** @param untrustedBody of a request. @returns null if it asks already, or must not be asked */
export function askingForUsage(
  untrustedBody: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> | null {
  const given = untrustedBody["stream_options"];
  const options = isObject(given) ? given : {};
  return options["include_usage"] === true ? null : { ...options, include_usage: true };
}

/** @param events whole ones */
export function withoutUsageChunk(events: Bytes): Bytes {
  const text = new TextDecoder().decode(events);
  const kept = text.split(/(?<=\r?\n\r?\n)/).filter((event) => !isUsageChunk(event)).join("");
  return kept.length === text.length ? events : new TextEncoder().encode(kept);
}

function isUsageChunk(event: string): boolean {
  const data = /^data: ?(\{.*\})\s*$/.exec(event)?.[1];
  if (data === undefined) return false;
  const { choices, usage } = parsedObject(data) ?? {};
  return Array.isArray(choices) && choices.length === 0 && isObject(usage);
}

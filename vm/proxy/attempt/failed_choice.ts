// SPDX-License-Identifier: GPL-2.0-or-later
/** A whole chat completion that says, with status 200, that it failed (OpenRouter does). @module */

import { UpstreamFailure } from "../exchange.ts";
import type { Bytes } from "../bytes.ts";
import { mayRetry, readFault } from "../translate/fault.ts";
import { parsedObject } from "../translate/json_node.ts";
import { isObject } from "../../settings/shape.ts";

/** Quotes in a JSON string are escaped, so a model that writes these words does not match. */
const SAYS_ERROR = /(?<!\\)"finish_reason":\s*"error"/;

/** @throws {UpstreamFailure} if it failed */
export function refuseFailedChoice(untrusted: Bytes): void {
  const text = new TextDecoder().decode(untrusted);
  if (!SAYS_ERROR.test(text)) return;
  const error = errorIn(text);
  if (error === null) return;
  const found = readFault(undefined, error);
  throw new UpstreamFailure(found, { counts: mayRetry(found) });
}

function errorIn(text: string): unknown {
  const { choices } = parsedObject(text) ?? {}; // what is no JSON the reader will report
  const failed: unknown = Array.isArray(choices)
    ? choices.find((choice) => isObject(choice) && choice["finish_reason"] === "error")
    : undefined;
  if (!isObject(failed)) return null;
  return { error: failed["error"] ?? { message: "the answer failed" } };
}

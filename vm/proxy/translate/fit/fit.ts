// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The last step for every body, whether the proxy wrote it or the client did: what the provider is
 * known to reject is removed or corrected, and logged. A body that fits is returned unchanged.
 *
 * @module
 */

import { fitChat } from "./fit_chat.ts";
import { fitMessages } from "./fit_messages.ts";
import { fitResponses } from "./fit_responses.ts";
import type { Body, Fit } from "./fit_fields.ts";

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

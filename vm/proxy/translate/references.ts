// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Replaces references in a responses request by what they refer to, because the provider that answers
 * may not have it. The provider that made it does, and gets the reference itself.
 *
 * @module
 */

import { type Body, mapObjects, withFields } from "./fit/fit_fields.ts";

export interface KeptResponse {
  /** The provider that also stores it; "": none does. */
  readonly maker: string;
  /** The conversation up to and including this response. */
  readonly items: readonly Body[];
}

/** What one client may refer to. */
export interface Kept {
  response(id: string): KeptResponse | undefined;
  item(id: string): { readonly maker: string; readonly item: Body } | undefined;
}

export const NOTHING_KEPT: Kept = { response: () => undefined, item: () => undefined };

/** @returns the same body if nothing was replaced; unknown references stay */
export function withReferences(body: Body, provider: string, kept: Kept): Body {
  const { previous_response_id: id, input } = body;
  const items = mapObjects(input, (item) => {
    if (item["type"] !== "item_reference" || typeof item["id"] !== "string") return item;
    const found = kept.item(item["id"]);
    return found === undefined || found.maker === provider ? item : found.item;
  });
  const found = typeof id === "string" ? kept.response(id) : undefined;
  if (found === undefined || found.maker === provider) return withFields(body, { input: items });
  const asked = typeof items === "string" ? [{ role: "user", content: items }] : items;
  return withFields(body, {
    previous_response_id: undefined,
    input: [...found.items, ...(Array.isArray(asked) ? asked : [])],
  });
}

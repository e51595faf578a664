// SPDX-License-Identifier: GPL-2.0-or-later
/** Ids that nobody else makes: of requests, and of what the operator runs. @module */

import { makeRequestId, type RequestId } from "../protocol/request_id.ts";

/** @param nowMs the date, in milliseconds since 1970 */
export function newRequestId(nowMs: number): RequestId {
  const [random = 0] = crypto.getRandomValues(new Uint32Array(1));
  return makeRequestId(nowMs, Deno.pid, random);
}

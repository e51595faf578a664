// SPDX-License-Identifier: GPL-2.0-or-later
/** A request's body, as if it had been read from a client. @module */

import { assert } from "@std/assert";
import { decodeBody, type RequestBody } from "../../../vm/proxy/http/request_body.ts";

export function bodyOf(json: string | Uint8Array<ArrayBuffer>): RequestBody {
  const bytes = typeof json === "string" ? new TextEncoder().encode(json) : json;
  const decoded = decodeBody(bytes, () => true);
  assert(typeof decoded === "object", "not a body");
  return decoded.accept({ model: "m", stream: false }, () => {});
}

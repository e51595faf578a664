// SPDX-License-Identifier: GPL-2.0-or-later
/** JSON that may be none. Pure. @module */

import { parseUtf8 } from "../../../shared/protocol/bytes.ts";
import { ProtocolError } from "../../../shared/protocol/refusal.ts";

/** undefined: it is none. */
export function parseJson(untrustedBytes: Uint8Array): unknown {
  try {
    return JSON.parse(parseUtf8(untrustedBytes));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof ProtocolError) return undefined;
    throw error;
  }
}

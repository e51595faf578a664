// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A file or folder of dom0 by its one spelling: absolute, no part of it empty, "." or "..", nothing that
 * ends a line or steers a terminal. What is spelled otherwise is refused, never repaired, so two paths
 * that differ are two places, as long as no link is followed.
 *
 * @module
 */

import { utf8 } from "./bytes.ts";
import { MAX_PATH_BYTES, MAX_PATH_PART_BYTES } from "./limits.ts";
import { ProtocolError } from "./refusal.ts";

declare const brand: unique symbol;
/** Made only by parseDom0Path(). */
export type Dom0Path = string & { readonly [brand]: "Dom0Path" };

/** Control characters, line ends, and what changes the direction of writing. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\ufffd]/u;

/**
 * @throws {ProtocolError} "bad-argument" or "too-long"
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * assertEquals(parseDom0Path("/srv/agents/report.txt"), "/srv/agents/report.txt");
 * assertThrows(() => parseDom0Path("/srv/agents/../shadow"), Error, "part");
 * ```
 */
export function parseDom0Path(untrustedPath: string): Dom0Path {
  const [before, ...parts] = untrustedPath.split("/");
  if (before !== "" || parts.length === 0) throw new ProtocolError("bad-argument", "not absolute");
  if (utf8(untrustedPath).length > MAX_PATH_BYTES) throw new ProtocolError("too-long", "path");
  if (UNSEEN.test(untrustedPath)) throw new ProtocolError("bad-argument", "a character of a path");
  for (const part of parts) {
    if (part === "" || part === "." || part === "..") {
      throw new ProtocolError("bad-argument", "a part of a path");
    }
    if (utf8(part).length > MAX_PATH_PART_BYTES) {
      throw new ProtocolError("too-long", "part of a path");
    }
  }
  return untrustedPath as Dom0Path; // the only cast to it in the project
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** How much output of a request there may be in a frame, and on its way. Pure. @module */

import type { Capability } from "./capability.ts";
import {
  MAX_OUTPUT_CHUNK_BYTES,
  MAX_WIDE_OUTPUT_CHUNK_BYTES,
  OUTPUT_WINDOW_BYTES,
  WIDE_OUTPUT_WINDOW_BYTES,
} from "./limits.ts";

export interface OutputFlow {
  readonly chunkBytes: number;
  readonly windowBytes: number;
}

const NARROW: OutputFlow = { chunkBytes: MAX_OUTPUT_CHUNK_BYTES, windowBytes: OUTPUT_WINDOW_BYTES };
const WIDE: OutputFlow = {
  chunkBytes: MAX_WIDE_OUTPUT_CHUNK_BYTES,
  windowBytes: WIDE_OUTPUT_WINDOW_BYTES,
};

/**
 * @param common what both sides can
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(outputFlow(new Set()), { chunkBytes: 32768, windowBytes: 262144 });
 * assertEquals(outputFlow(new Set(["wide"])), { chunkBytes: 262144, windowBytes: 4194304 });
 * ```
 */
export function outputFlow(common: ReadonlySet<Capability>): OutputFlow {
  return common.has("wide") ? WIDE : NARROW;
}

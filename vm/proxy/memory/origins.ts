// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Which provider made the signatures, encrypted texts and ids that were passed on unchanged: noted as
 * the bytes go by, kept in memory, the oldest dropped first. After a restart nothing is known; then a
 * provider that rejects an item is asked once more without it (attemptNative).
 *
 * @module
 */

import type { Answer } from "../exchange.ts";
import { isWhole } from "../bytes.ts";
import { watchLines } from "../stream/line_watch.ts";
import type { Made } from "../translate/provenance.ts";

export interface Origins {
  readonly made: Made;
  /** Returns the same body, and notes its items as it is read. */
  watch(body: Answer["body"], maker: string): Answer["body"];
}

/** A long session has some hundreds. */
const MAX_ITEMS = 20_000;
/** The end of a signature identifies it; no more is stored. */
const KEY_CHARS = 48;

const ITEM =
  /"(?:signature|encrypted_content|data)":\s*"([^"\\]{16,})"|"id":\s*"((?:rs|msg|fc|ctc|lsh)_[\w-]{6,100})"/g;

export function createOrigins(): Origins {
  const makers = new Map<string, string>();
  const keyOf = (item: string): string => item.slice(-KEY_CHARS);
  const note = (text: string, maker: string): void => {
    for (const [, item, id] of text.matchAll(ITEM)) {
      makers.set(keyOf(item ?? id ?? ""), maker);
      if (makers.size <= MAX_ITEMS) continue;
      for (const oldest of makers.keys()) {
        makers.delete(oldest);
        break;
      }
    }
  };
  return {
    made: (item) => makers.get(keyOf(item)),
    watch(body, maker) {
      if (isWhole(body)) {
        note(new TextDecoder().decode(body), maker);
        return body;
      }
      return watchLines(body, (lines) => note(lines, maker));
    },
  };
}

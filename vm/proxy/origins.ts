// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Which provider made the signatures, encrypted texts and ids that were passed on byte for byte:
 * read off the bytes as they go by, kept in memory, oldest forgotten first. After a restart nothing
 * is known, and the refusal of a provider is what tells (attemptNative asks once more then).
 *
 * @module
 */

import { type Answer, type Bytes, type ByteSource, isWhole } from "./exchange.ts";
import type { Made } from "./translate/provenance.ts";

export interface Origins {
  readonly made: Made;
  /** The same body, looked at as it passes. */
  watch(body: Answer["body"], maker: string): Answer["body"];
}

/** A long session has some hundreds. */
const MAX_ITEMS = 20_000;
/** The end of a signature tells it from all others; no more is kept. */
const KEY_CHARS = 48;
/** One line of a stream that is longer holds no signature worth the memory. */
const MAX_LINE_CHARS = 1024 * 1024;

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
        note(latin(body), maker);
        return body;
      }
      return watched(body, (lines) => note(lines, maker));
    },
  };
}

const decoder = new TextDecoder("latin1"); // all that is looked for is ASCII

const latin = (bytes: Bytes): string => decoder.decode(bytes);

/** @param see gets whole lines */
function watched(source: ByteSource, see: (lines: string) => void): ByteSource {
  let open = "";
  return {
    async read() {
      const bytes = await source.read();
      if (bytes === null) {
        see(open);
        return null;
      }
      const end = bytes.lastIndexOf(0x0a);
      if (end < 0) open = open.length > MAX_LINE_CHARS ? "" : open + latin(bytes);
      else {
        see(open + latin(bytes.subarray(0, end)));
        open = latin(bytes.subarray(end));
      }
      return bytes;
    },
    cancel: () => source.cancel(),
  };
}

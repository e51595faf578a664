// SPDX-License-Identifier: GPL-2.0-or-later
/** Shows the lines of a stream while its bytes are passed on unchanged. @module */

import type { ByteSource } from "../bytes.ts";

/** Longer lines are skipped. */
const MAX_LINE_BYTES = 1024 * 1024;

/** @param see gets complete lines, several at a time; the last one at the end of the stream */
export function watchLines(source: ByteSource, see: (lines: string) => void): ByteSource {
  const decoder = new TextDecoder();
  let open = "";
  return {
    async read() {
      const bytes = await source.read();
      if (bytes === null) {
        see(open + decoder.decode());
        return null;
      }
      const text = decoder.decode(bytes, { stream: true });
      const end = text.lastIndexOf("\n");
      if (end < 0) open = open.length > MAX_LINE_BYTES ? "" : open + text;
      else {
        see(open + text.slice(0, end));
        open = text.slice(end + 1);
      }
      return bytes;
    },
    cancel: () => source.cancel(),
  };
}

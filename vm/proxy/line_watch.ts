// SPDX-License-Identifier: GPL-2.0-or-later
/** Lines of a stream, looked at while its bytes are passed on as they are. @module */

import type { ByteSource } from "./exchange.ts";

/** A line that is longer is not looked at. */
const MAX_LINE_BYTES = 1024 * 1024;

/** @param see gets whole lines, some at a time; the last one when the stream is over */
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

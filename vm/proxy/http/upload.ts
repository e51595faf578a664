// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A body on its way to an upstream. The runtime copies what it is given whole and keeps the copy
 * while it sends; a large body is given piece by piece, and then goes in chunks (RFC 9112, 7.1).
 *
 * @module
 */

import { concat } from "../../../shared/protocol/bytes.ts";
import type { Bytes } from "../bytes.ts";

/** Up to this size the length is announced: not every server knows chunks. */
const WHOLE_BYTES = 4 * 1024 * 1024;
const PIECE_BYTES = 64 * 1024;

export type Upload = string | Bytes | ReadableStream<Bytes>;
type Part = string | Bytes;

const encoder = new TextEncoder();

export function uploadOfText(text: string): Upload {
  return text.length <= WHOLE_BYTES ? text : streamOf(smallPieces([text]));
}

/** Parts that follow each other, and are not joined before they are sent. */
export function uploadOfParts(iterable: Iterable<Part>): Upload {
  const parts = [...iterable];
  const length = parts.reduce((sum, { length }) => sum + length, 0);
  if (length > WHOLE_BYTES) return streamOf(smallPieces(parts));
  const bytes = parts.map((part) => typeof part === "string" ? encoder.encode(part) : part);
  return bytes.length === 1 && bytes[0] !== undefined ? bytes[0] : concat(bytes);
}

/** No piece ends between the two halves of a character (UTF-16's surrogates). */
export function* smallPieces(parts: readonly Part[], size: number = PIECE_BYTES): Generator<Bytes> {
  for (const part of parts) {
    for (let at = 0; at < part.length;) {
      const end = at + size;
      if (typeof part !== "string") {
        yield part.subarray(at, end);
        at = end;
        continue;
      }
      const isCut = end < part.length && (part.charCodeAt(end - 1) & 0xfc00) === 0xd800;
      const to = isCut ? end + 1 : end;
      yield encoder.encode(part.slice(at, to));
      at = to;
    }
  }
}

function streamOf(pieces: Generator<Bytes>): ReadableStream<Bytes> {
  return new ReadableStream<Bytes>({
    pull(controller) {
      const { value, done } = pieces.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: () => void pieces.return(undefined),
  }, { highWaterMark: 0 });
}

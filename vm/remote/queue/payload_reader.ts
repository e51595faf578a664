// SPDX-License-Identifier: GPL-2.0-or-later
/** The payload of one request, read as dom0 asks for it. @module */

import { MAX_PAYLOAD_CHUNK_BYTES } from "../../../shared/protocol/limits.ts";
import type { RequestId } from "../../../shared/protocol/request_id.ts";
import { type Layout, payloadPath } from "../files/layout.ts";
import { attempt } from "../files/local_failure.ts";
import { isPlain } from "../files/plain_file.ts";

export interface PayloadReader {
  /** The pieces of that part, in order; the last is empty if the rest cannot be read. */
  pieces(offset: number, bytes: number): Iterable<PayloadPiece>;
  close(): void;
}

export interface PayloadPiece {
  readonly offset: number;
  /** Valid until the next piece is taken. */
  readonly data: Uint8Array;
}

export function createPayloadReader(layout: Layout, id: RequestId): PayloadReader {
  let file: Deno.FsFile | null = null;
  const buffer = new Uint8Array(MAX_PAYLOAD_CHUNK_BYTES);
  /** Nothing, where it ends or cannot be read: dom0 knows how much there should be. */
  const read = (offset: number, bytes: number): Uint8Array => {
    let got = 0;
    attempt(() => {
      file ??= openPayload(layout, id);
      file?.seekSync(offset, Deno.SeekMode.Start);
      got = file?.readSync(buffer.subarray(0, bytes)) ?? 0;
    });
    return buffer.subarray(0, got);
  };
  return {
    *pieces(offset, bytes) {
      for (let sent = 0; sent < bytes;) {
        const at = offset + sent;
        const data = read(at, Math.min(bytes - sent, buffer.length));
        yield { offset: at, data };
        if (data.length === 0) return;
        sent += data.length;
      }
    },
    close() {
      file?.close();
      file = null;
    },
  };
}

/** null: there is no such file. Whoever can write here could make any request, so a race is no matter. */
function openPayload(layout: Layout, id: RequestId): Deno.FsFile | null {
  const path = payloadPath(layout, id);
  return isPlain(path) ? Deno.openSync(path, { read: true }) : null;
}

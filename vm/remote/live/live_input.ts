// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What is piped in, passed on while the command runs: read as it comes, signed chunk by chunk, and put
 * where the service finds it. It is read only as fast as dom0 takes it, and no further than the command
 * reads.
 *
 * @module
 */

import { errorText } from "../../../shared/cli/program.ts";
import type { AuthKey } from "../../../shared/protocol/auth_key.ts";
import { makeStreamKey, signChunk } from "../../../shared/protocol/live/chunk.ts";
import type { RequestFields } from "../../../shared/protocol/envelope.ts";
import { LIVE } from "../../../shared/protocol/payload.ts";
import type { Layout } from "../files/layout.ts";
import type { ByteSource } from "../../../shared/io/read_ahead.ts";
import { chunkFolder, makeChunkFolder } from "./chunk_folder.ts";
import { createChunkRing } from "./chunk_ring.ts";
import { gather } from "./gather.ts";

export interface LiveInput {
  readonly payload: typeof LIVE;
  /** Begins to read. The request has this name, and is not yet published. */
  begin(
    layout: Layout,
    key: AuthKey,
    request: Pick<RequestFields, "vm" | "id" | "nonce">,
  ): Promise<void>;
  /** Why it cannot go on; null: it can, or has ended. */
  failure(): string | null;
  /** Called when there is a failure. */
  listen(onFailure: () => void): void;
  /** Nobody wants it any more. */
  drop(): void;
}

export function createLiveInput(source: ByteSource): LiveInput {
  let failure: string | null = null;
  let tell = (): void => {};
  let stop = (): void => {};
  return {
    payload: LIVE,
    async begin(layout, key, request) {
      const streamKey = await makeStreamKey(key, request);
      const folder = chunkFolder(layout, request.id);
      makeChunkFolder(folder);
      const ring = createChunkRing(folder);
      stop = ring.close;
      const pass = async (): Promise<void> => {
        const pieces = gather(source);
        for (let offset = 0, isEnd = false; !isEnd;) {
          const piece = await pieces.next();
          isEnd = piece.isEnd;
          const head = await signChunk(streamKey, { offset, ...piece });
          if (!await ring.put(offset, head, piece.data)) return;
          offset += piece.data.length;
        }
      };
      pass().catch((error) => {
        failure = errorText(error);
        tell();
      });
    },
    failure: () => failure,
    listen: (onFailure) => void (tell = onFailure),
    drop: () => stop(),
  };
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** Chunks that are on their way, as files: a new one waits until there is room. @module */

import { watchFolders } from "../../../shared/io/folder_watch.ts";
import { CHUNK_WINDOW_BYTES, CHUNK_WINDOW_CHUNKS } from "../../../shared/protocol/limits.ts";
import { createBell } from "../client/bell.ts";
import type { ChunkFolder } from "./chunk_folder.ts";

/** One window is on its way to dom0 while the next one gathers. */
const MAX_RING_BYTES = 2 * CHUNK_WINDOW_BYTES;
/** The watch reports every change; this is in case it does not. */
const RECHECK_MS = 1_000;

export interface ChunkRing {
  /** Waits for room. @returns false: nobody wants it */
  put(offset: number, head: Uint8Array, data: Uint8Array): Promise<boolean>;
  close(): void;
}

export function createChunkRing(folder: ChunkFolder): ChunkRing {
  const bell = createBell();
  const watch = watchFolders([folder.path], ({ kind }) => {
    if (kind !== "opened") bell.ring();
  });
  const there: { readonly offset: number; readonly bytes: number }[] = [];
  let bytes = 0;
  let isClosed = false;
  /** The service removes them in their order. */
  const forgetGone = (): void => {
    for (let first; (first = there[0]) !== undefined && !folder.has(first.offset);) {
      bytes -= first.bytes;
      there.shift();
    }
  };
  const hasRoom = (more: number): boolean => {
    if (there.length < CHUNK_WINDOW_CHUNKS && bytes + more <= MAX_RING_BYTES) return true;
    forgetGone();
    return there.length < CHUNK_WINDOW_CHUNKS && bytes + more <= MAX_RING_BYTES;
  };
  return {
    async put(offset, head, data) {
      while (!isClosed && !folder.isEnough() && !hasRoom(data.length)) {
        await bell.wait(RECHECK_MS);
      }
      if (isClosed || folder.isEnough()) return false;
      try {
        folder.write(offset, head, data);
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
        return false;
      }
      there.push({ offset, bytes: data.length });
      bytes += data.length;
      return true;
    },
    close() {
      isClosed = true;
      watch.close();
      bell.ring();
    },
  };
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Copies a file as it grows. After a broken session the same bytes are written to the file again from
 * its start; the follower keeps its own position, so nothing is copied twice.
 *
 * @module
 */

import { ifPresentSync } from "../../../shared/io/sync_files.ts";
import { isPlain } from "../files/plain_file.ts";
import { createStreamHash } from "./stream_hash.ts";

/** Most answers are shorter. */
const FIRST_CHUNK_BYTES = 4 * 1024;
const CHUNK_BYTES = 256 * 1024;

export interface Copied {
  readonly bytes: number;
  readonly sha256: string;
}

export interface Follower {
  /** Copies what has been added, in the background. */
  poke(): void;
  /** Resolves when all that is in the file has been copied. Call once, at the end. */
  finish(): Promise<Copied>;
}

/**
 * @param open opens it; undefined: the service makes it a file, in time
 * @param sink takes each piece; the next one waits for it. What it throws ends the copying and
 *   goes to `onError`; the rest is still counted and hashed.
 */
export function followFile(
  open: () => Deno.FsFile | undefined,
  sink: (bytes: Uint8Array) => Promise<void>,
  onError: (error: unknown) => void,
): Follower {
  const hash = createStreamHash();
  let file: Deno.FsFile | undefined;
  let bytes = 0;
  let broken = false;
  let busy = Promise.resolve();
  let poked = 0; // drains that are queued behind the one that runs
  let buffer = new Uint8Array(FIRST_CHUNK_BYTES);

  const drain = async (): Promise<void> => {
    file ??= open();
    if (file === undefined) return;
    for (let got; (got = file.readSync(buffer) ?? 0) > 0;) {
      const chunk = buffer.subarray(0, got);
      if (got === buffer.length && got < CHUNK_BYTES) buffer = new Uint8Array(CHUNK_BYTES);
      hash.update(chunk);
      bytes += got;
      try {
        if (!broken) await sink(chunk);
      } catch (error) {
        broken = true;
        onError(error);
      }
    }
  };
  const enqueue = (): Promise<void> => {
    poked++;
    return busy = busy.then(() => {
      poked--;
      return drain();
    });
  };
  return {
    poke() {
      if (poked === 0) void enqueue();
    },
    async finish() {
      await enqueue();
      file?.close();
      return { bytes, sha256: await hash.hex() };
    },
  };
}

/** undefined: it is not there, or nothing that may be opened. */
export function openIfPlain(path: string): Deno.FsFile | undefined {
  return isPlain(path) ? ifPresentSync(() => Deno.openSync(path, { read: true })) : undefined;
}

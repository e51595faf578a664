// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The chunks of a live stream on their way from a client to the service: a folder with a file for each,
 * named by its offset. The client makes them, the service removes what dom0 has.
 *
 *     queue/payloads/ID/0          end, MAC and data, as dom0 gets them
 *     queue/payloads/ID/262144
 *     queue/payloads/ID/enough     nobody wants more
 *     queue/.ID.chunk              being written: not in the folder, where each write wakes both sides
 *
 * @module
 */

import { writeAll } from "../../../shared/cli/program.ts";
import { PRIVATE_FILE, PRIVATE_FOLDER } from "../../../shared/io/private_modes.ts";
import { ifPresentSync, isPresent, removeIfPresent } from "../../../shared/io/sync_files.ts";
import type { Bytes } from "../../../shared/protocol/bytes.ts";
import { CHUNK_HEAD_BYTES } from "../../../shared/protocol/live/chunk.ts";
import { MAX_CHUNK_BYTES } from "../../../shared/protocol/limits.ts";
import type { RequestId } from "../../../shared/protocol/request_id.ts";
import { CHUNK_ROOM_BYTES } from "../../../shared/protocol/message.ts";
import type { QueuedChunk } from "../../../shared/protocol/vm_session.ts";
import { type Layout, payloadPath } from "../files/layout.ts";
import { isPlain } from "../files/plain_file.ts";

export interface ChunkFolder {
  readonly path: string;
  /** @throws {Deno.errors.NotFound} the folder is gone: nobody wants it */
  write(offset: number, head: Uint8Array, data: Uint8Array): void;
  has(offset: number): boolean;
  /** null: it is not there, or there is no room for it now; then it is not read. */
  read(offset: number, hasRoom: (bytes: number) => boolean): QueuedChunk | "no chunk" | null;
  remove(offset: number): void;
  /** Removes all that are before that one. */
  removeBefore(offset: number): void;
  isEnough(): boolean;
  setEnough(): void;
}

export function chunkFolder(layout: Layout, id: RequestId): ChunkFolder {
  const path = payloadPath(layout, id);
  const temporary = `${layout.queue}/.${id}.chunk`;
  const file = (offset: number): string => `${path}/${offset}`;
  return {
    path,
    write(offset, head, data) {
      writeBoth(temporary, head, data);
      try {
        Deno.renameSync(temporary, file(offset));
      } catch (error) {
        removeIfPresent(temporary);
        throw error;
      }
    },
    has: (offset) => isPresent(file(offset)),
    read(offset, hasRoom) {
      if (!isPresent(file(offset))) return null; // looked at first: it may appear in between
      return isPlain(file(offset)) ? readChunk(file(offset), hasRoom) : "no chunk";
    },
    remove: (offset) => void removeIfPresent(file(offset)),
    removeBefore(offset) {
      for (const { name } of ifPresentSync(() => [...Deno.readDirSync(path)]) ?? []) {
        if (/^[0-9]+$/.test(name) && Number(name) < offset) removeIfPresent(`${path}/${name}`);
      }
    },
    isEnough: () => isPresent(`${path}/enough`) || !isPresent(path),
    setEnough: () =>
      void ifPresentSync(() => Deno.writeFileSync(`${path}/enough`, new Uint8Array(0))),
  };
}

export function makeChunkFolder({ path }: ChunkFolder): void {
  Deno.mkdirSync(path, { mode: PRIVATE_FOLDER });
}

function writeBoth(path: string, head: Uint8Array, data: Uint8Array): void {
  using file = Deno.openSync(path, {
    write: true,
    create: true,
    truncate: true,
    mode: PRIVATE_FILE,
  });
  writeAll(file, head);
  writeAll(file, data);
}

/** What dom0 would break the session for is not sent; whether it is signed, dom0 sees. */
function readChunk(
  path: string,
  hasRoom: (bytes: number) => boolean,
): QueuedChunk | "no chunk" | null {
  using file = Deno.openSync(path, { read: true });
  const bytes = file.statSync().size - CHUNK_HEAD_BYTES;
  if (bytes < 0 || bytes > MAX_CHUNK_BYTES) return "no chunk";
  if (!hasRoom(bytes)) return null;
  const wire = new Uint8Array(CHUNK_ROOM_BYTES + CHUNK_HEAD_BYTES + bytes);
  if (!fill(file, wire.subarray(CHUNK_ROOM_BYTES))) return "no chunk";
  const end = wire[CHUNK_ROOM_BYTES];
  if (end !== 1 && (end !== 0 || bytes === 0)) return "no chunk";
  return { wire, bytes, isEnd: end === 1 };
}

/** @returns false: it is shorter */
function fill(file: Deno.FsFile, into: Bytes): boolean {
  for (let at = 0; at < into.length;) {
    const got = file.readSync(into.subarray(at));
    if (got === null) return false;
    at += got;
  }
  return true;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** Sends the chunks of live streams, each as soon as it is there and dom0 has room for it. @module */

import type { Bytes } from "../../../shared/protocol/bytes.ts";
import type { RequestId } from "../../../shared/protocol/request_id.ts";
import type { VmSession } from "../../../shared/protocol/vm_session.ts";
import { type FolderWatch, watchFolders } from "../../../shared/io/folder_watch.ts";
import { type ChunkFolder, chunkFolder } from "./chunk_folder.ts";
import type { Layout } from "../files/layout.ts";
import { attempt } from "../files/local_failure.ts";

export interface ChunkSenderPorts {
  readonly layout: Layout;
  readonly session: Pick<VmSession, "nextChunk" | "hasChunkRoom" | "chunk">;
  readonly send: (bytes: Bytes) => void;
  /** Its stream cannot go on. */
  readonly giveUp: (id: RequestId, why: string) => void;
  /** For work that the watch begins: what it throws ends the session. */
  readonly guarded: (work: () => void) => void;
}

export interface ChunkSender {
  /** dom0 has all before that offset, and wants more. */
  want(seq: number, id: RequestId, offset: number): void;
  enough(seq: number, id: RequestId): void;
  /** To be called now and then: the watch may have missed something. */
  look(): void;
  /** The request has its outcome. */
  end(seq: number): void;
  close(): void;
}

interface Stream {
  readonly id: RequestId;
  readonly folder: ChunkFolder;
  readonly watch: FolderWatch | null;
  /** Sent and not confirmed, by their offsets. */
  unconfirmed: readonly number[];
}

export function createChunkSender(ports: ChunkSenderPorts): ChunkSender {
  const { layout } = ports;
  const streams = new Map<number, Stream>();
  const open = (seq: number, id: RequestId): Stream => {
    const folder = chunkFolder(layout, id);
    const watch = watchOrNull(folder, () => ports.guarded(() => sendNext(seq, stream, ports)));
    const stream: Stream = { id, folder, watch, unconfirmed: [] };
    streams.set(seq, stream);
    return stream;
  };
  const end = (seq: number): void => {
    streams.get(seq)?.watch?.close();
    streams.delete(seq);
  };
  return {
    want(seq, id, offset) {
      const known = streams.get(seq);
      const stream = known ?? open(seq, id);
      if (known === undefined) attempt(() => stream.folder.removeBefore(offset));
      for (const at of stream.unconfirmed) {
        if (at < offset) attempt(() => stream.folder.remove(at));
      }
      stream.unconfirmed = stream.unconfirmed.filter((at) => at >= offset);
      sendNext(seq, stream, ports);
    },
    enough(seq, id) {
      attempt(() => chunkFolder(layout, id).setEnough());
      end(seq);
    },
    look() {
      for (const [seq, stream] of streams) sendNext(seq, stream, ports);
    },
    end,
    close() {
      for (const seq of streams.keys()) end(seq);
    },
  };
}

/** null: there is none. Its client is gone, and its request ends. */
function watchOrNull({ path }: ChunkFolder, onChange: () => void): FolderWatch | null {
  let watch: FolderWatch | null = null;
  attempt(() =>
    watch = watchFolders([path], ({ kind }) => {
      if (kind === "here" || kind === "unknown") onChange();
    })
  );
  return watch;
}

function sendNext(seq: number, stream: Stream, { session, send, giveUp }: ChunkSenderPorts): void {
  const why = attempt(() => {
    for (let at; (at = session.nextChunk(seq)) !== null;) {
      const chunk = stream.folder.read(at, (bytes) => session.hasChunkRoom(seq, bytes));
      if (chunk === "no chunk") return giveUp(stream.id, `what lies at ${at} is no chunk`);
      const frame = chunk === null ? null : session.chunk(seq, chunk);
      if (frame === null) return; // not there yet, or dom0 has no room for it now
      send(frame);
      stream.unconfirmed = [...stream.unconfirmed, at];
    }
  });
  if (why !== null) giveUp(stream.id, why);
}

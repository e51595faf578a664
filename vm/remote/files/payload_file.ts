// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What a request brings, as a file beside it: the client puts all of it there before it signs how much
 * it is and its hash; the service reads it as dom0 asks for it.
 *
 *     queue/.UUID.payload   being written, locked by its client
 *     queue/payloads/ID     of the request ID, in whatever folder that is
 *
 * @module
 */

import { PRIVATE_FILE, PRIVATE_FOLDER } from "../../../shared/io/private_modes.ts";
import { UserError } from "../../../shared/cli/program.ts";
import { writeFully } from "../../../shared/io/files.ts";
import { type ByteSource, readAhead } from "../../../shared/io/read_ahead.ts";
import { removeIfPresent } from "../../../shared/io/sync_files.ts";
import { MAX_PAYLOAD_BYTES } from "../../../shared/protocol/limits.ts";
import type { Payload } from "../../../shared/protocol/payload.ts";
import type { RequestId } from "../../../shared/protocol/request_id.ts";
import { createStreamHash } from "../client/stream_hash.ts";
import { type Layout, payloadPath, prepareFolders } from "./layout.ts";

/** All of a payload, before its request has a name. */
export interface Spooled {
  readonly payload: Payload;
  /** Gives it to that request. */
  assign(layout: Layout, id: RequestId): void;
  /** Removes what was not given away. */
  drop(): void;
}

/** Copies it to its end. @throws {UserError} there is no room; nothing is left */
export async function spoolPayload(layout: Layout, source: ByteSource): Promise<Spooled> {
  await prepareFolders(layout);
  const path = `${layout.queue}/.${crypto.randomUUID()}.payload`;
  const file = Deno.openSync(path, { write: true, createNew: true, mode: PRIVATE_FILE });
  const drop = (): void => {
    file.close();
    removeIfPresent(path);
  };
  const hash = createStreamHash();
  let bytes = 0;
  try {
    file.lockSync(true);
    for await (const piece of readAhead(source)) {
      bytes += piece.length;
      if (bytes > MAX_PAYLOAD_BYTES) throw new UserError("more than a request can bring");
      const writing = writeFully(file, piece);
      hash.update(piece); // in this thread, while another writes and a third reads what is next
      await writing;
    }
  } catch (error) { // a full disk
    drop();
    throw error;
  }
  let isAssigned = false;
  return {
    payload: { bytes, sha256: await hash.hex() },
    assign(to, id) {
      Deno.mkdirSync(to.payloads, { recursive: true, mode: PRIVATE_FOLDER });
      Deno.renameSync(path, payloadPath(to, id));
      isAssigned = true;
      file.close();
    },
    drop() {
      if (!isAssigned) drop();
    },
  };
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** Moves an answer from results/ into the history. @module */

import { PRIVATE_FOLDER } from "../../../shared/io/files.ts";
import type { RequestId } from "../../../shared/protocol/request_id.ts";
import { historyFolder, type Layout, RESULT_PARTS, resultPath } from "./layout.ts";
import { writePlain } from "./plain_file.ts";
import { renameIfPresent } from "../../../shared/io/sync_files.ts";

/**
 * Moves what there is. "exit" goes first: while it is in one of the two places, the service
 * knows that the request has its answer.
 *
 * @param command what was asked, for `history`; null if it is not known
 */
export function archiveAnswer(layout: Layout, id: RequestId, command: Uint8Array | null): void {
  const folder = historyFolder(layout, id);
  Deno.mkdirSync(folder, { recursive: true, mode: PRIVATE_FOLDER });
  for (const part of RESULT_PARTS.toReversed()) {
    renameIfPresent(resultPath(layout, id, part), `${folder}/${part}`);
  }
  if (command === null) return;
  writePlain(layout, `${folder}/command`, command);
}

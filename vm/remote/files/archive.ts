// SPDX-License-Identifier: GPL-2.0-or-later
/** Moves an answer from results/ into the history. @module */

import { PRIVATE_FOLDER } from "../../../shared/io/private_modes.ts";
import type { RequestId } from "../../../shared/protocol/request_id.ts";
import { historyFolder, type Layout, RESULT_PARTS, resultPath } from "./layout.ts";
import { writePlain } from "./plain_file.ts";
import { renameIfPresent } from "../../../shared/io/sync_files.ts";

/**
 * Moves the files that exist, "exit" first: while it is in one of the two places, the service knows
 * that the request has its answer.
 *
 * @param command what was asked, for `history`; null if it is not known
 */
export function archiveAnswer(layout: Layout, id: RequestId, command: Uint8Array | null): void {
  const folder = historyFolder(layout, id);
  Deno.mkdirSync(folder, { recursive: true, mode: PRIVATE_FOLDER });
  for (const part of RESULT_PARTS.toReversed()) {
    renameIfPresent(resultPath(layout, id, part), `${folder}/${part}`);
  }
  if (command !== null) writePlain(layout, `${folder}/command`, command);
}

/** Puts the command into the history; the answer is fetched later. */
export function archiveCommand(layout: Layout, id: RequestId, command: Uint8Array): void {
  const folder = historyFolder(layout, id);
  Deno.mkdirSync(folder, { recursive: true, mode: PRIVATE_FOLDER });
  writePlain(layout, `${folder}/command`, command);
}

/**
 * Puts an answer that was archived before anybody fetched it back into results/, "exit" last, as when
 * it was published.
 */
export function fetchFromHistory(layout: Layout, id: RequestId): void {
  const folder = historyFolder(layout, id);
  for (const part of RESULT_PARTS) {
    renameIfPresent(`${folder}/${part}`, resultPath(layout, id, part));
  }
}

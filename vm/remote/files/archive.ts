// SPDX-License-Identifier: GPL-2.0-or-later
/** Moves an answer from results/ into the history; never back, so that a reader finds it. @module */

import { PRIVATE_FOLDER } from "../../../shared/io/private_modes.ts";
import type { RequestId } from "../../../shared/protocol/request_id.ts";
import { historyFolder, type Layout, RESULT_PARTS, type ResultPart, resultPath } from "./layout.ts";
import { attempt } from "./local_failure.ts";
import { writePlain } from "./plain_file.ts";
import { isPresent, renameIfPresent } from "../../../shared/io/sync_files.ts";

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
 * Looks for a part of an answer in results/ and then in the history, where it may be moved meanwhile.
 * A history that cannot be read holds nothing.
 *
 * @param look undefined: it is not there
 */
export function findPart<T>(
  layout: Layout,
  id: RequestId,
  part: ResultPart,
  look: (path: string) => T | undefined,
): T | undefined {
  let found = look(resultPath(layout, id, part));
  if (found === undefined) {
    attempt(() => void (found = look(`${historyFolder(layout, id)}/${part}`)));
  }
  return found;
}

/** For findPart(): where it is. */
export function presentPath(path: string): string | undefined {
  return isPresent(path) ? path : undefined;
}

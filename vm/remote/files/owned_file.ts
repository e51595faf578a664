// SPDX-License-Identifier: GPL-2.0-or-later
/** A request's file, and the sign that its client lives, until it lets go. @module */

import { PRIVATE_FILE } from "../../../shared/io/private_modes.ts";
import { writeAll } from "../../../shared/cli/program.ts";
import { type Layout, prepareFolders } from "./layout.ts";
import type { RequestId } from "../../../shared/protocol/request_id.ts";
import { OWNED_FILE } from "./request_owner.ts";
import { ifPresentSync, removeIfPresent } from "../../../shared/io/sync_files.ts";

/**
 * Writes a file that this program holds the lock of. The lock goes with the file through its
 * renames: it tells the service and `queue clean` that somebody waits for the answer.
 */
export async function writeOwned(
  layout: Layout,
  path: string,
  data: Uint8Array,
): Promise<Deno.FsFile> {
  const open = () => Deno.openSync(path, { write: true, createNew: true, mode: OWNED_FILE });
  let file;
  try {
    file = open();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    await prepareFolders(layout); // the first request ever
    file = open();
  }
  try {
    file.lockSync(true);
    writeAll(file, data);
    return file;
  } catch (error) { // a full disk
    file.close();
    removeIfPresent(path);
    throw error;
  }
}

/** Writes a file without a lock: its request goes on after this program has ended. */
export async function writeUnowned(
  layout: Layout,
  path: string,
  data: Uint8Array,
): Promise<Deno.FsFile> {
  await prepareFolders(layout);
  const file = Deno.openSync(path, { write: true, createNew: true, mode: PRIVATE_FILE });
  try {
    writeAll(file, data);
    return file;
  } catch (error) { // a full disk
    file.close();
    removeIfPresent(path);
    throw error;
  }
}

/**
 * The request goes on without its client: to be called before the lock goes. It moves from pending/ to
 * running/, so that is the order in which to look.
 */
export function letGo(layout: Layout, id: RequestId): void {
  for (const folder of [layout.pending, layout.running]) {
    const release = () => (Deno.chmodSync(`${folder}/${id}`, PRIVATE_FILE), true);
    if (ifPresentSync(release) === true) return;
  }
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A file that is only appended to, 0600, and rotated by size: NAME, NAME.1 (younger) … NAME.8
 * (oldest), and NAME.kept, what each VM's share keeps of those that were dropped.
 *
 * @module
 */

import { syncFolderOf } from "../../shared/io/durable.ts";
import { PRIVATE_FILE } from "../../shared/io/private_modes.ts";
import { errorText, writeAll } from "../../shared/cli/program.ts";
import { ifPresentSync, isPresent } from "../../shared/io/sync_files.ts";
import { keepShares, keptFile } from "./audit_share.ts";

export const KEPT_FILES = 8;
/** The part of a file's size that is kept for each VM of what is dropped. */
const SHARES = 8;
const NEWLINE = 0x0a;

export interface AppendedFile {
  /** Reopens the file if another process rotated it or added to it; says whether one did. */
  followPath(): boolean;
  append(line: string): void;
  /** Syncs what was appended, and the file's name. */
  sync(): Promise<void>;
  close(): void;
}

/** @param onDrop called before a rotation that drops the oldest file, with what will be the oldest */
export function openAppended(
  path: string,
  maxFileBytes: number,
  onDrop: (nextOldest: string) => void = () => {},
): AppendedFile {
  let file: Deno.FsFile | null = null;
  let inode: number | null = null;
  let length = -1;
  let isNameSynced = false;
  let isUnsynced = false;
  const open = (): void => {
    // The file may be rotated meanwhile: who waits for its sync must not get another file's.
    if (isUnsynced) file?.syncDataSync();
    file?.close();
    [isNameSynced, isUnsynced] = [false, false];
    file = Deno.openSync(path, { append: true, create: true, mode: PRIVATE_FILE });
    const info = file.statSync();
    [inode, length] = [info.ino, info.size];
  };
  return {
    followPath() {
      const info = ifPresentSync(() => Deno.statSync(path));
      if (file !== null && info !== undefined && info.ino === inode && info.size === length) {
        return false;
      }
      open();
      return true;
    },
    append(line) {
      if (file === null) open();
      if (length > maxFileBytes) {
        file?.syncDataSync(); // others may have written to it, and sync the next one
        if (isPresent(`${path}.${KEPT_FILES}`)) onDrop(`${path}.${KEPT_FILES - 1}`);
        rotate(path, maxFileBytes);
        open();
      }
      if (file === null) return;
      isUnsynced = true;
      writeAll(file, line);
      length += line.length;
    },
    async sync() {
      isUnsynced = false;
      try {
        await file?.syncData();
      } catch (error) {
        isUnsynced = true;
        throw error;
      }
      if (!isNameSynced) await syncFolderOf(path);
      isNameSynced = true;
    },
    close() {
      if (isUnsynced) file?.syncDataSync();
      file?.close();
      file = null;
    },
  };
}

function rotate(path: string, maxFileBytes: number): void {
  const oldest = `${path}.${KEPT_FILES}`;
  try {
    if (isPresent(oldest)) keepShares(oldest, keptFile(path), maxFileBytes / SHARES);
  } catch (error) { // on a full disk the rotation itself is what makes room
    console.error(`audit: nothing was kept of ${oldest}: ${errorText(error)}`);
  }
  for (let age = KEPT_FILES; age >= 1; age--) {
    const from = age === 1 ? path : `${path}.${age - 1}`;
    if (isPresent(from)) Deno.renameSync(from, `${path}.${age}`);
  }
}

/** Whether its last line has no newline. */
export function isCutOff(path: string): boolean {
  using file = Deno.openSync(path, { read: true });
  const { size } = file.statSync();
  if (size === 0) return false;
  const last = new Uint8Array(1);
  file.seekSync(size - 1, Deno.SeekMode.Start);
  file.readSync(last);
  return last[0] !== NEWLINE;
}

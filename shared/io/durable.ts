// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What a program reports as done must survive a power cut. A file system writes contents and names
 * separately, when it likes: a file's contents are on the disk after its fsync, its name, or the name's
 * removal, after the fsync of its folder. Each call here resolves when both are.
 *
 * Where nothing was promised, writeAtomically() does not wait for the disk.
 *
 * @module
 */

import { dirname } from "@std/path/posix/dirname";
import { ifPresent, putInPlace, writeFully } from "./files.ts";
import { PRIVATE_FILE, PRIVATE_FOLDER } from "./private_modes.ts";

/** Readers, also those after a power cut, see the old file or the new one, never a part. */
export async function durableWrite(
  path: string,
  data: string | Uint8Array,
  mode = PRIVATE_FILE,
): Promise<void> {
  await putInPlace(path, async (temporary) => {
    using file = await Deno.open(temporary, { write: true, createNew: true, mode: PRIVATE_FILE });
    await writeFully(file, data);
    await Deno.chmod(temporary, mode); // regardless of the umask
    await file.sync();
  });
  await syncFolderOf(path);
}

/** The same for a symbolic link. */
export async function durableSymlink(target: string, path: string): Promise<void> {
  await putInPlace(path, (temporary) => Deno.symlink(target, temporary));
  await syncFolderOf(path);
}

/** @returns whether it was there; if it was not, an earlier removal is on the disk now */
export async function durableRemove(path: string): Promise<boolean> {
  const wasThere = await ifPresent(Deno.remove(path).then(() => true)) ?? false;
  await ifPresent(syncFolderOf(path));
  return wasThere;
}

/** Within one folder. */
export async function durableRename(from: string, to: string): Promise<void> {
  await Deno.rename(from, to);
  await syncFolderOf(to);
}

/** A second name, in the same folder, for a file that is on the disk already. */
export async function durableLink(from: string, to: string): Promise<void> {
  await Deno.link(from, to);
  await syncFolderOf(to);
}

/** Makes the folder and its parents. What was there keeps its mode. */
export async function durableFolder(path: string, mode = PRIVATE_FOLDER): Promise<void> {
  const missing: string[] = [];
  for (let folder = path; !await isThere(folder); folder = dirname(folder)) {
    missing.unshift(folder);
  }
  if (missing.length > 0) await Deno.mkdir(path, { recursive: true, mode });
  for (const folder of missing) {
    await Deno.chmod(folder, mode); // regardless of the umask
    await syncFolderOf(folder);
  }
}

/** A folder that this program may not look at is not its own to create. */
async function isThere(path: string): Promise<boolean> {
  try {
    return await ifPresent(Deno.stat(path)) !== undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return true;
    throw error;
  }
}

/** Syncs a folder: its files' names, and removals of names, are on the disk. */
export async function syncFolderOf(path: string): Promise<void> {
  try {
    using folder = await Deno.open(dirname(path), { read: true });
    await folder.sync();
  } catch (error) {
    // A program may write below a folder that it may not open. What is left then is the sync of
    // the file, which brings its name along on the file systems of Linux that keep a journal.
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
  }
}

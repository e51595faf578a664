// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Files under names that any program in the VM could have taken first: only a regular file with that
 * one name is written to. Anything else there is set aside, so that a link leads nowhere and a folder
 * is not in the way.
 *
 * @module
 */

import { basename } from "@std/path/posix/basename";
import { PRIVATE_FILE } from "../../../shared/io/private_modes.ts";
import { writeAll } from "../../../shared/cli/program.ts";
import { ifPresentSync, removeIfPresent } from "../../../shared/io/sync_files.ts";
import type { Layout } from "./layout.ts";
import { attempt } from "./local_failure.ts";
import { setAside } from "./set_aside.ts";

/** Opens a file for writing at its start, and makes it if need be; what is in it stays. */
export function openPlain(layout: Layout, path: string): Deno.FsFile {
  const create = () => Deno.openSync(path, { write: true, createNew: true, mode: PRIVATE_FILE });
  try {
    return create(); // the kernel follows no link for this
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
  const opened = openAsItIs(path);
  if (opened !== undefined) return opened;
  setAside(layout, path, nameOf(path));
  return create();
}

/** Writes a file anew. */
export function writePlain(layout: Layout, path: string, data: string | Uint8Array): void {
  using file = openPlain(layout, path);
  file.truncateSync(0);
  writeAll(file, data);
}

/** Whether a regular file with that one name is there: no link, no folder, no FIFO. */
export function isPlain(path: string): boolean {
  const info = lstat(path);
  return info !== undefined && isOwn(info);
}

/** Removes whatever lies there. */
export function clear(layout: Layout, path: string): void {
  if (attempt(() => void removeIfPresent(path)) !== null) setAside(layout, path, nameOf(path));
}

function openAsItIs(path: string): Deno.FsFile | undefined {
  const seen = lstat(path);
  if (seen === undefined || !isOwn(seen)) return undefined;
  const file = Deno.openSync(path, { write: true });
  const opened = file.statSync(); // of the file itself: the name may lead elsewhere by now
  if (isOwn(opened) && opened.dev === seen.dev && opened.ino === seen.ino) return file;
  file.close();
  return undefined;
}

/** A second name may be one outside the queue. */
function isOwn({ isFile, nlink }: Deno.FileInfo): boolean {
  return isFile && nlink === 1;
}

function lstat(path: string): Deno.FileInfo | undefined {
  return ifPresentSync(() => Deno.lstatSync(path));
}

function nameOf(path: string): string {
  return basename(path);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** Files that are whole or absent, private or refused. @module */

import { basename } from "@std/path/posix/basename";
import { dirname } from "@std/path/posix/dirname";
import { GROUP_OR_OTHER, PRIVATE_FILE, PRIVATE_FOLDER } from "./private_modes.ts";
import { UserError } from "../cli/program.ts";

/** undefined instead of NotFound; any other error is thrown. */
export async function ifPresent<T>(result: Promise<T>): Promise<T | undefined> {
  try {
    return await result;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

export async function exists(path: string): Promise<boolean> {
  return await ifPresent(Deno.lstat(path)) !== undefined;
}

/** Makes the folder and its parents, and gives the folder itself mode 0700. */
export async function makePrivateFolder(path: string): Promise<void> {
  await Deno.mkdir(path, { recursive: true, mode: PRIVATE_FOLDER });
  const info = await Deno.lstat(path);
  if (!info.isDirectory) throw new UserError(`${path} is not a folder`);
  if (((info.mode ?? 0) & 0o777) !== PRIVATE_FOLDER) await Deno.chmod(path, PRIVATE_FOLDER);
}

export interface WriteOptions {
  readonly mode?: number;
  /** Where the new file is written first, on the same file system. Default: beside it, as ".NAME.RANDOM". */
  readonly temporaryPath?: string;
}

/**
 * Readers see the old file or the new one, never a part. If it fails, nothing is left behind. A power
 * cut may undo it: for anything that was promised there is durable.ts.
 */
export async function writeAtomically(
  path: string,
  data: string | Uint8Array,
  { mode = PRIVATE_FILE, temporaryPath }: WriteOptions = {},
): Promise<void> {
  await putInPlace(path, async (temporary) => {
    using file = await Deno.open(temporary, { write: true, createNew: true, mode });
    await writeFully(file, data);
  }, temporaryPath);
}

/** Makes it under a temporary name and renames it. If it fails, nothing is left behind. */
export async function putInPlace(
  path: string,
  make: (temporary: string) => Promise<void>,
  temporary = besides(path),
): Promise<void> {
  try {
    await make(temporary);
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw error;
  }
}

/** ".NAME.RANDOM" beside it. */
function besides(path: string): string {
  const random = crypto.randomUUID().slice(0, 8);
  return `${dirname(path)}/.${basename(path)}.${random}`;
}

export async function writeFully(
  to: { write(bytes: Uint8Array): Promise<number> },
  data: string | Uint8Array,
): Promise<void> {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  for (let at = 0; at < bytes.length;) at += await to.write(bytes.subarray(at));
}

/** The text of a small file. @throws {UserError} if it is larger than the cap */
export async function readSmallText(path: string, maxBytes: number): Promise<string> {
  return new TextDecoder().decode(await readSmall(path, maxBytes));
}

/** Reads at most the cap, whatever size stat gives. */
export async function readSmall(path: string, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  using file = await Deno.open(path, { read: true });
  if (!(await file.stat()).isFile) throw new UserError(`${path} is not a regular file`);
  return await readCapped(file, path, maxBytes);
}

async function readCapped(
  file: Deno.FsFile,
  path: string,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  let bytes = new Uint8Array(Math.min((await file.stat()).size, maxBytes) + 1);
  let length = 0;
  for (let got; (got = await file.read(bytes.subarray(length))) !== null;) {
    length += got;
    if (length > maxBytes) throw new UserError(`${path} is larger than ${maxBytes} bytes`);
    if (length === bytes.length) { // it grew since stat
      const larger = new Uint8Array(Math.min(2 * length, maxBytes + 1));
      larger.set(bytes);
      bytes = larger;
    }
  }
  return bytes.slice(0, length);
}

/** Refuses a secret that someone else could have read or swapped. */
export function checkPrivate(
  path: string,
  info: Pick<Deno.FileInfo, "isFile" | "mode" | "uid">,
  wantUid: number | null,
): void {
  if (!info.isFile) throw new UserError(`${path} is not a regular file`);
  if (wantUid !== null && info.uid !== wantUid) {
    throw new UserError(`${path} is not owned by uid ${wantUid}`, [
      `run "chown ${wantUid} ${path}" if you know where it comes from`,
    ]);
  }
  if (info.mode === null || (info.mode & GROUP_OR_OTHER) !== 0) {
    throw new UserError(`${path} can be read by group or other`, [
      `run "chmod 600 ${path}", then replace the key: it may have leaked`,
    ]);
  }
}

/** Reads a secret after checking the file it opened, not the name. */
export async function readPrivate(path: string, maxBytes: number): Promise<string> {
  using file = await Deno.open(path, { read: true });
  checkPrivate(path, await file.stat(), Deno.uid());
  return new TextDecoder().decode(await readCapped(file, path, maxBytes));
}

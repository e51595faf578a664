// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The programs that are there, copied aside with their modes, and put back one by one: each is written beside its
 * place and renamed, so whoever starts one gets the old program or the new one, whole.
 *
 * @module
 */

import { dirname } from "@std/path/posix/dirname";
import {
  durableFolder,
  durableRemove,
  durableWrite,
  syncFolderOf,
} from "../../shared/io/durable.ts";
import { exists, ifPresent, readSmallText } from "../../shared/io/files.ts";
import { UserError } from "../../shared/cli/program.ts";

const MAX_LIST_BYTES = 256 * 1024;
/** Below /usr or among the qrexec services, and nowhere else: what people edit is never put back. */
const PROGRAM_FILE = /^\/(usr|etc\/qubes-rpc)(\/[A-Za-z0-9@_+-][A-Za-z0-9@_.+-]*)+$/;

export interface KeptPlace {
  /** In front of each path; for tests. */
  readonly root: string;
  /** Where the copies lie: FOLDER/files/usr/bin/..., and FOLDER/list, which is written last. */
  readonly folder: string;
}

/** @param paths absolute; what is no program of a package is left out, as is what is not there */
export async function keepFiles(
  { root, folder }: KeptPlace,
  paths: readonly string[],
): Promise<void> {
  if (await exists(folder)) {
    await durableRemove(`${folder}/list`);
    await Deno.remove(folder, { recursive: true });
  }
  await durableFolder(folder);
  const kept: string[] = [];
  for (const path of paths.filter((one) => PROGRAM_FILE.test(one)).toSorted()) {
    const info = await ifPresent(Deno.lstat(root + path));
    if (info === undefined || !info.isFile) continue;
    await Deno.mkdir(dirname(`${folder}/files${path}`), { recursive: true });
    await Deno.copyFile(root + path, `${folder}/files${path}`);
    await Deno.chmod(`${folder}/files${path}`, modeOf(info));
    kept.push(path);
  }
  if (kept.length === 0) throw new UserError("no programs were found that could be kept");
  await durableWrite(`${folder}/list`, kept.map((path) => `${path}\n`).join(""));
}

/** What is kept, as absolute paths. @throws {UserError} it is not whole */
export async function keptFiles({ folder }: KeptPlace): Promise<readonly string[]> {
  const text = await ifPresent(readSmallText(`${folder}/list`, MAX_LIST_BYTES));
  if (text === undefined) throw new UserError(`nothing whole is kept in ${folder}`);
  const paths = text.trimEnd().split("\n");
  const foreign = paths.find((path) => !PROGRAM_FILE.test(path));
  if (foreign === undefined) return paths;
  throw new UserError(`${folder}/list names "${foreign}", which is no program`);
}

/** @param now what is installed; what was not there then goes */
export async function putBackFiles(place: KeptPlace, now: readonly string[]): Promise<void> {
  const { root, folder } = place;
  const paths = await keptFiles(place);
  for (const path of paths) {
    const from = `${folder}/files${path}`;
    const mode = modeOf(await Deno.stat(from));
    await Deno.mkdir(dirname(root + path), { recursive: true });
    await putOne(from, root + path, mode);
  }
  const kept = new Set(paths);
  for (const path of now.filter((one) => PROGRAM_FILE.test(one) && !kept.has(one))) {
    const info = await ifPresent(Deno.lstat(root + path));
    if (info?.isFile) await durableRemove(root + path);
  }
}

async function putOne(from: string, to: string, mode: number): Promise<void> {
  const beside = `${to}.new`;
  await Deno.copyFile(from, beside);
  await Deno.chmod(beside, mode);
  using file = await Deno.open(beside, { read: true });
  await file.sync();
  await Deno.rename(beside, to);
  await syncFolderOf(to);
}

function modeOf({ mode }: Pick<Deno.FileInfo, "mode">): number {
  return (mode ?? 0o644) & 0o7777;
}

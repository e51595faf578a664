// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The folder of policy, /etc/qubes/remote-policy.d: read whole, or not at all. Nothing is
 * read that anyone but root could have changed.
 *
 * @module
 */

import { ifPresent } from "../../shared/io/files.ts";
import { UserError } from "../../shared/cli/program.ts";
import { printable } from "../../shared/protocol/printable.ts";
import type { PolicyFiles } from "./parse_policy.ts";

const MAX_POLICY_BYTES = 256 * 1024;
/** People write these files. */
const MAX_FILES = 1_000;
const WRITABLE_BY_OTHERS = 0o022;
/** What editors and package managers leave beside a file; hidden files. */
const LEFT_OVER = /^[^A-Za-z0-9]|~$|\.(rpmnew|rpmsave|rpmorig|dpkg-\w+|swp|bak)$/;

/**
 * @param ownerUid the only permitted owner; null: any, for tests
 * @throws {UserError} naming what cannot be read, or what others could have changed
 */
export async function readPolicyFolder(
  folder: string,
  ownerUid: number | null,
): Promise<PolicyFiles> {
  const files = new Map<string, string>();
  const info = await ifPresent(Deno.lstat(folder));
  if (info === undefined) return files;
  if (!info.isDirectory) throw new UserError(`${folder} is not a folder`);
  checkWriters(folder, info, ownerUid);
  const names: string[] = [];
  for await (const { name } of Deno.readDir(folder)) {
    if (!LEFT_OVER.test(name)) names.push(name);
    if (names.length > MAX_FILES) {
      throw new UserError(`${folder} has more than ${MAX_FILES} files`);
    }
  }
  for (const name of names.sort()) {
    // Subfolders are ignored, but not one that has the name of a policy file.
    const path = `${folder}/${name}`;
    if (!name.endsWith(".policy") && !(await Deno.stat(path)).isFile) continue;
    files.set(name, await readChecked(path, ownerUid));
  }
  return files;
}

/** A link is followed: what it leads to is looked at, and that is what is read. */
async function readChecked(path: string, ownerUid: number | null): Promise<string> {
  using file = await Deno.open(path, { read: true });
  const info = await file.stat();
  if (!info.isFile) throw new UserError(`${printable(path, 200)} is not a regular file`);
  checkWriters(path, info, ownerUid);
  const bytes = new Uint8Array(MAX_POLICY_BYTES + 1);
  let length = 0;
  for (let got; (got = await file.read(bytes.subarray(length))) !== null && got > 0;) length += got;
  if (length > MAX_POLICY_BYTES) {
    throw new UserError(`${printable(path, 200)} is larger than ${MAX_POLICY_BYTES} bytes`);
  }
  return new TextDecoder().decode(bytes.subarray(0, length));
}

function checkWriters(path: string, { uid, mode }: Deno.FileInfo, ownerUid: number | null): void {
  const shown = printable(path, 200);
  if (ownerUid !== null && uid !== ownerUid) {
    throw new UserError(`${shown} is not owned by uid ${ownerUid}`, [
      `look at it, then run "chown ${ownerUid} ${path}"`,
    ]);
  }
  if (((mode ?? 0) & WRITABLE_BY_OTHERS) !== 0) {
    throw new UserError(`${shown} can be changed by users other than its owner`, [
      `look at it, then run "chmod go-w ${path}"`,
    ]);
  }
}

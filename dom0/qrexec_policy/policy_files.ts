// SPDX-License-Identifier: GPL-2.0-or-later
/** Where policy files come from. @module */
import { Refused } from "./policy_error.ts";

/** What the loader needs of a file system. Links are followed. */
export interface PolicyFiles {
  /** @returns the names of the regular files in a folder, or undefined if there is no such folder */
  list(folder: string): readonly string[] | undefined;
  /** @returns the text, or undefined if this is no regular file */
  read(path: string): string | undefined;
}

/** Read from disk, with `root` in front of every path. */
export function filesOnDisk(root: string): PolicyFiles {
  return {
    list(folder) {
      if (!stat(`${root}${folder}`)?.isDirectory) return undefined;
      return [...Deno.readDirSync(`${root}${folder}`)].map(({ name }) => name)
        .filter((name) => stat(`${root}${folder}/${name}`)?.isFile);
    },
    read(path) {
      if (!stat(`${root}${path}`)?.isFile) return undefined;
      return decoded(Deno.readFileSync(`${root}${path}`), path);
    },
  };
}

/** A link that leads nowhere, or round in a circle, is no file to the engine either. */
function stat(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch (error) {
    const isNone = error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.NotADirectory || error instanceof Deno.errors.FilesystemLoop;
    if (isNone) return undefined;
    throw error;
  }
}

function decoded(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Refused(`${path}: not UTF-8`);
  }
}

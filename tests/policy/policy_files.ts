// SPDX-License-Identifier: GPL-2.0-or-later
/** Where policy files come from: a folder tree on disk, or one that a test made up. @module */
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

/** Made up: text by path, and folders that are there although empty. */
export function filesInMemory(
  texts: Readonly<Record<string, string>>,
  emptyFolders: readonly string[] = [],
): PolicyFiles {
  const paths = Object.keys(texts);
  const isFolder = (path: string) =>
    emptyFolders.includes(path) || paths.some((file) => file.startsWith(`${path}/`));
  return {
    list(written) {
      const folder = normal(written);
      if (!isFolder(folder)) return undefined;
      return paths.filter((path) => path.startsWith(`${folder}/`))
        .map((path) => path.slice(folder.length + 1)).filter((name) => !name.includes("/"));
    },
    read(written) {
      const path = normal(written);
      return Object.hasOwn(texts, path) ? texts[path] : undefined;
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

/** Without "." and "..", as pathlib's resolve() makes it where there are no links. */
function normal(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** Policy files that a test made up. @module */
import type { PolicyFiles } from "../../dom0/qrexec_policy/policy_files.ts";

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

/** Without "." and "..", as pathlib's resolve() makes it where there are no links. */
function normal(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

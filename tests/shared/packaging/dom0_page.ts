// SPDX-License-Identifier: GPL-2.0-or-later
/** The tables of shared/packaging/DOM0.md. @module */

const PAGE = new URL("../../../shared/packaging/DOM0.md", import.meta.url);

/** The rows of the table below a heading, without its head; each cell without blanks around it. */
export function dom0PageTable(heading: string): readonly (readonly string[])[] {
  const text = Deno.readTextFileSync(PAGE);
  const [, section = ""] = text.split(`\n## ${heading}\n`);
  return section.split(/\n## /)[0]?.split("\n").filter((line) => line.startsWith("|")).slice(2)
    .map((line) => line.split("|").slice(1, -1).map((one) => one.trim())) ?? [];
}

export interface PageFiles {
  /** Whole paths: where the first one is a folder, the others are names in it. */
  readonly paths: readonly string[];
  readonly mode: string;
  /** Of all of them together; null for folders. */
  readonly bytes: number | null;
}

export function dom0PageFiles(): readonly PageFiles[] {
  return dom0PageTable("Files").map(([files = "", mode = "", bytes = ""]) => {
    const [first = "", ...others] = [...files.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name);
    const paths = first.endsWith("/") ? others.map((name) => first + name) : [first, ...others];
    return { paths, mode, bytes: bytes === "" ? null : Number(bytes.replaceAll(",", "")) };
  });
}

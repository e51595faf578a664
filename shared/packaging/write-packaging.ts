// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Writes what is made of the table of programs into FOLDER/packaging: the flags and the form of each
 * program, the lists of what is installed and of what each package holds, the completions and the
 * manual pages.
 *
 *     deno run --allow-read=. --allow-write=FOLDER shared/packaging/write-packaging.ts FOLDER
 *
 * @module
 */

import { basename } from "@std/path/posix/basename";
import { dirname } from "@std/path/posix/dirname";
import { COMMAND_LINES } from "./command_lines.ts";
import { completionOf } from "./completion.ts";
import { installList } from "./install_list.ts";
import { manPage } from "./man_page.ts";
import { packageList, PACKAGES, rpmFiles } from "./packages.ts";
import { denoFlags, PROGRAMS } from "./programs.ts";

const ROOT = new URL("../../", import.meta.url);

/** Each file's path below FOLDER/packaging, and its text. */
export function packagingFiles(folder: string, deno: string): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const program of PROGRAMS) {
    const { name, side, page, compiled = false } = program;
    files.set(`${side}/${name}.flags`, `${denoFlags(program).join("\n")}\n`);
    files.set(`${side}/${name}.form`, compiled ? "compiled\n" : "bundled\n");
    if (page === undefined) continue;
    const line = COMMAND_LINES.find((one) => one.program === name);
    if (line === undefined) throw new Error(`command_lines.ts has no ${name}`);
    const source = Deno.readTextFileSync(new URL(page, ROOT));
    files.set(`man/${basename(page)}`, manPage(source, line));
    files.set(`completions/${name}`, completionOf(line, page));
  }
  const filesIn = (path: string): string[] =>
    [...Deno.readDirSync(new URL(path, ROOT))].map(({ name }) => name);
  const lists = { dom0: "", vm: "" };
  for (const side of ["dom0", "vm"] as const) {
    lists[side] = installList(side, { folder, deno, filesIn });
    files.set(`${side}.list`, lists[side]);
  }
  for (const one of PACKAGES) {
    const list = packageList(one, { folder, deno, lists });
    files.set(`packages/${one.name}.list`, list);
    files.set(`packages/${one.name}.rpm-files`, rpmFiles(list));
  }
  return files;
}

if (import.meta.main) {
  const [folder = "build"] = Deno.args;
  for (const [path, text] of packagingFiles(folder, Deno.execPath())) {
    const target = `${folder}/packaging/${path}`;
    Deno.mkdirSync(dirname(target), { recursive: true });
    Deno.writeTextFileSync(target, text);
  }
}

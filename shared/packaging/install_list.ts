// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What is installed where, as lines for the script "files" beside this module:
 *
 *     PART file MODE SOURCE TARGET       a file
 *     PART program DENO BUILT LIBRARY INTO   BUILT, its launcher, into INTO; what that starts, into
 *                                        LIBRARY: BUILT.js and Deno, or BUILT.bin
 *     PART edited MODE SOURCE TARGET     a file that people edit
 *     PART folder MODE - TARGET          a folder
 *     PART list MODE - TARGET            the names of all that is installed, for "uninstall"
 *     PART kept - - PATH NOTE            what is not removed, if it is there
 *     PART say - - - TEXT                what a person is told in the end
 *
 * Targets begin with the name of a folder of the Makefile.
 *
 * @module
 */

import { basename } from "@std/path/posix/basename";
import { dirname } from "@std/path/posix/dirname";
import {
  DATA_FILES,
  EDITED_FILES,
  KEPT,
  NEXT_STEPS,
  PRIVATE_FOLDERS,
  type Program,
  PROGRAMS,
  type Side,
} from "./programs.ts";

export interface Built {
  /** The folder of what was built, "build". */
  readonly folder: string;
  /** The Deno that is installed. */
  readonly deno: string;
  /** The names of the files in a folder of the project. */
  readonly filesIn: (folder: string) => readonly string[];
}

export function installList(side: Side, built: Built): string {
  const programs = PROGRAMS.filter((program) => program.side === side);
  const parts = new Set(programs.map(({ part }) => part));
  const lines = [
    ...programs.flatMap((program) => programLines(program, built)),
    ...DATA_FILES.filter((file) => file.side === side).flatMap(({ part, source, into, mode }) =>
      matching(source, built).map((file) =>
        `${part} file ${mode} ${file} ${into}/${basename(file)}`
      )
    ),
    ...side === "dom0" ? dom0Lines() : [],
    ...[...parts].flatMap((part) => {
      const [path, note] = KEPT[`${side} ${part}`] ?? [];
      return path === undefined ? [] : [`${part} kept - - ${path} ${note}`];
    }),
    ...[...parts].flatMap((part) => {
      const text = NEXT_STEPS[`${side} ${part}`];
      return text === undefined ? [] : [`${part} say - - - ${text}`];
    }),
  ];
  return `${lines.join("\n")}\n`;
}

function programLines(program: Program, { folder, deno }: Built): readonly string[] {
  const { name, side, part, into, page, units = [], userUnits = [] } = program;
  const built = `${folder}/${side}/${name}`;
  const made = `${folder}/packaging`;
  return [
    `program ${deno} ${built} @LIBDIR@ ${into}`,
    ...units.map((unit) => `file 0644 ${side}/systemd/${unit} @UNITDIR@/${unit}`),
    ...userUnits.map((unit) => `file 0644 ${side}/systemd/user/${unit} @USERUNITDIR@/${unit}`),
    ...page === undefined ? [] : [
      `file 0644 ${made}/man/${basename(page)} @MANDIR@/man${page.at(-1)}/${basename(page)}`,
      `file 0644 ${made}/completions/${name} @COMPLETIONS@/${name}`,
    ],
  ].map((line) => `${part} ${line}`);
}

function dom0Lines(): readonly string[] {
  return [
    ...PRIVATE_FOLDERS.map((folder) => `daemon folder 0700 - ${folder}`),
    ...EDITED_FILES.map(({ mode, source, target }) => `daemon edited ${mode} ${source} ${target}`),
    "daemon list 0644 - @SHAREDIR@/dom0-files",
  ];
}

/** The files that a source is; there is one "*" at most, in the last part of the path. */
function matching(source: string, { filesIn }: Built): readonly string[] {
  if (!source.includes("*")) return [source];
  const folder = dirname(source);
  const [before = "", after = ""] = basename(source).split("*");
  return filesIn(folder).filter((name) => name.startsWith(before) && name.endsWith(after))
    .toSorted().map((name) => `${folder}/${name}`);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/** The page "What goes into dom0" names each file with its mode, and what each program may do. @module */

import { assert, assertEquals } from "@std/assert";
import { basename } from "@std/path/posix/basename";
import { dirname } from "@std/path/posix/dirname";
import { type Program, PROGRAMS } from "../../../shared/packaging/programs.ts";
import { packagingFiles } from "../../../shared/packaging/write-packaging.ts";
import { FILES, isRelative, resolve } from "../../source_files.ts";
import { dom0PageFiles, dom0PageTable } from "./dom0_page.ts";

const LIST = packagingFiles("build", "/usr/bin/deno").get("dom0.list") ?? "";
const FOLDERS: Readonly<Record<string, string>> = {
  BINDIR: "/usr/bin",
  LIBDIR: "/usr/lib/qubes-claw",
  MANDIR: "/usr/share/man",
  COMPLETIONS: "/usr/share/bash-completion/completions",
  UNITDIR: "/usr/lib/systemd/system",
  ETCDIR: "/etc/qubes",
  RPCDIR: "/etc/qubes-rpc",
  SHAREDIR: "/usr/share/qubes-claw",
  APPLICATIONS: "/usr/share/applications",
  ICONS: "/usr/share/icons/hicolor/scalable/apps",
  POLICYDIR: "/usr/share/qubes-claw/policies",
};

/** "PATH MODE" of all that "make install-dom0" puts there. */
function installed(): readonly string[] {
  const lines = LIST.trimEnd().split("\n").flatMap((line) => {
    const [, kind = "", mode = "", source = "", target = "", into = ""] = line.split(" ");
    if (kind === "say" || kind === "kept") return [];
    if (kind !== "program") return [`${target} ${mode}`];
    const name = basename(source);
    return [`${into}/${name} 0755`, `${target}/${name}.js 0644`, `${target}/deno 0755`];
  });
  return [
    ...new Set(
      lines.map((line) => line.replace(/@([A-Z]+)@/, (all, name) => FOLDERS[name] ?? all)),
    ),
  ].toSorted();
}

Deno.test("the page names every file that is installed into dom0, with its mode, and no other", () => {
  const named = dom0PageFiles().flatMap(({ paths, mode }) =>
    paths.map((path) => `${path} ${mode}`)
  );
  assertEquals(named.toSorted(), installed());
});

/** As the page has it: the same for what is nowhere named, and for what is not restricted. */
function cell(allowed: readonly string[] | "any" | undefined): string {
  if (allowed === undefined) return "none";
  if (allowed === "any") return "any";
  return allowed.map((one) => `\`${one.replace("@ROOT@", "")}\``).join(", ");
}

/** The project's own lines in a program: its modules, and what they import. */
function linesOf({ side, name }: Program): number {
  const files = new Map(FILES.map((file) => [file.path, file]));
  const seen = new Set<string>();
  const visit = (path: string): number => {
    const file = files.get(path);
    if (file === undefined || seen.has(path)) return 0;
    seen.add(path);
    const own = file.text.split("\n").length - 1;
    return file.imports.filter(isRelative)
      .reduce((sum, to) => sum + visit(resolve(path, to)), own);
  };
  return visit(`${side}/${name}.ts`);
}

Deno.test("the page says what each program may do, as the table has it, and how long it is", () => {
  const rows = dom0PageTable("What each program may do");
  const programs = PROGRAMS.filter(({ side }) => side === "dom0");
  assertEquals(rows.length, programs.length);
  for (const program of programs) {
    const { net, read, write, run } = program.permissions;
    const row = rows.find(([name]) => name === `\`${program.name}\``) ?? [];
    assertEquals(row.slice(2), [net, read, write, run].map(cell), program.name);
    const [said, is] = [Number(row[1]?.replace(",", "")), linesOf(program)];
    assert(Math.abs(said - is) <= 0.2 * is, `${program.name} has ${is} lines, not ${said}`);
  }
});

Deno.test("the page's checks name programs that are installed", () => {
  const known = new Set(installed().map((line) => line.split(" ")[0] ?? ""));
  const text = dom0PageTable("How to check it").flat().join(" ");
  const paths = [...text.matchAll(/\/usr\/[a-z0-9/.-]+[a-z0-9]/g)].map(([path]) => path);
  assert(paths.length >= 2, paths.join());
  const isKnown = (path: string): boolean =>
    known.has(path) || [...known].some((one) => dirname(one) === path);
  assertEquals(paths.filter((path) => !isKnown(path)), []);
});

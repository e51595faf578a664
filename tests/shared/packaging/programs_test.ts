// SPDX-License-Identifier: GPL-2.0-or-later
/** The table of programs fits what is there: sources, units, pages, targets of make. @module */

import { assert, assertEquals } from "@std/assert";
import { COMMAND_LINES } from "../../../shared/packaging/command_lines.ts";
import { installList } from "../../../shared/packaging/install_list.ts";
import { denoFlags, PROGRAMS } from "../../../shared/packaging/programs.ts";
import { packagingFiles } from "../../../shared/packaging/write-packaging.ts";
import { PROJECT } from "../../e2e/program_flags.ts";

const SIDES = ["dom0", "vm"] as const;

const namesIn = (folder: string, end: string): readonly string[] =>
  [...Deno.readDirSync(`${PROJECT}/${folder}`)].map(({ name }) => name)
    .filter((name) => name.endsWith(end)).toSorted();

Deno.test("a file at the top of dom0 or vm is a program of the table, and no other is", () => {
  for (const side of SIDES) {
    const listed = PROGRAMS.filter((program) => program.side === side).map(({ name }) => name);
    assertEquals(listed.map((name) => `${name}.ts`).toSorted(), namesIn(side, ".ts"));
  }
});

Deno.test("every unit and every page is some program's", () => {
  const units = (side: string, which: "units" | "userUnits"): readonly string[] =>
    PROGRAMS.filter((program) => program.side === side).flatMap((one) => one[which] ?? [])
      .toSorted();
  const inDom0 = [".service", ".timer", ".path"].flatMap((end) => namesIn("dom0/systemd", end));
  assertEquals(units("dom0", "units"), inDom0.toSorted());
  assertEquals(units("vm", "units"), namesIn("vm/systemd", ".service"));
  assertEquals(units("vm", "userUnits"), namesIn("vm/systemd/user", ".service"));
  const pages = SIDES.flatMap((side) =>
    [".1", ".8"].flatMap((end) => namesIn(`${side}/packaging`, end))
      .map((name) => `${side}/packaging/${name}`)
  );
  const listed = PROGRAMS.flatMap(({ page }) => page === undefined ? [] : [page]);
  assertEquals([...new Set(listed)].toSorted(), pages.toSorted());
});

Deno.test("make names every part that can be installed by itself", () => {
  const makefile = Deno.readTextFileSync(`${PROJECT}/Makefile`);
  for (const side of SIDES) {
    const [, named = ""] = new RegExp(`^install-${side}-%:.* a part of it: (.*)$`, "m")
      .exec(makefile) ?? [];
    const parts = PROGRAMS.filter((program) => program.side === side).map(({ part }) => part);
    const names = named.replaceAll(/ \([^)]*\)/g, "").split(", ");
    assertEquals(names.toSorted(), [...new Set(parts)].toSorted());
  }
});

Deno.test("no two files are installed in one place, and each that is not built is there", () => {
  for (const side of SIDES) {
    const filesIn = (folder: string): readonly string[] => namesIn(folder, "");
    const lines = installList(side, { folder: "build", deno: "/usr/bin/deno", filesIn })
      .trimEnd().split("\n").map((line) => line.split(" "));
    const targets = lines.filter(([, kind]) => kind === "file").map(([, , , , target]) => target);
    assertEquals(new Set(targets).size, targets.length);
    assert(targets.length >= 15, `${targets.length} files`);
    const sources = lines.flatMap(([, kind, , source = ""]) =>
      kind === "file" && !/^(build|\/usr)\//.test(source) ? [source] : []
    );
    for (const source of sources) assert(Deno.statSync(`${PROJECT}/${source}`).isFile, source);
    const known =
      /^@(BIN|LIB|RPC|ETC|UNIT|USERUNIT|MAN|SHARE|POLICY)DIR@|^@(COMPLETIONS|APPLICATIONS|ICONS)@/;
    assertEquals(targets.filter((target = "") => !known.test(target)), []);
  }
});

Deno.test("flags have no blank and no word of the shell's: the build passes them on as words", () => {
  for (const program of PROGRAMS) {
    assertEquals(denoFlags(program).filter((flag) => /[\s"'$`\\*?;&|<>(){}]/.test(flag)), []);
  }
});

Deno.test("whoever has a page has a completion; what is made is the same each time", () => {
  const [one, two] = [1, 2].map(() => packagingFiles("build", "/usr/bin/deno"));
  assertEquals(one, two);
  const names = PROGRAMS.filter(({ page }) => page !== undefined).map(({ name }) => name);
  assertEquals(
    [...new Set(names)].toSorted(),
    COMMAND_LINES.map((line) => line.program).toSorted(),
  );
});

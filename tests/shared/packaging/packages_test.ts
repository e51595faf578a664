// SPDX-License-Identifier: GPL-2.0-or-later
/** Each system's package files name what the table has: the packages, the version, the units. @module */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { DOM0_PACKAGES } from "../../../dom0/upgrade/installing.ts";
import { VERSION } from "../../../shared/io/version.ts";
import { type Package, PACKAGES } from "../../../shared/packaging/packages.ts";
import { PROGRAMS, type Side } from "../../../shared/packaging/programs.ts";
import { packagingFiles } from "../../../shared/packaging/write-packaging.ts";

const FOLDER = new URL("../../../shared/packaging/", import.meta.url);
const MADE = packagingFiles("build", "/usr/bin/deno");
const read = (path: string): string => Deno.readTextFileSync(new URL(path, FOLDER));
const SPECS = {
  dom0: read("rpm/qubes-claw-dom0.spec.in"),
  vm: read("rpm/qubes-claw-vm.spec.in"),
};

const namesOf = (has: (one: Package) => boolean): readonly string[] =>
  PACKAGES.filter(has).map(({ name }) => name).toSorted();
const linesOf = (name: string): readonly string[] =>
  (MADE.get(`packages/${name}.list`) ?? "").trimEnd().split("\n");

Deno.test("every line of an install list is in one package of its side", () => {
  for (const side of ["dom0", "vm"] as const) {
    const packaged = PACKAGES.filter((one) => one.side === side)
      .flatMap(({ name }) => linesOf(name)).filter((line) => !/^(compiled|salt) /.test(line));
    const all = (MADE.get(`${side}.list`) ?? "").trimEnd().split("\n")
      .filter((line) => !/^\S+ (list|say|kept) /.test(line));
    assert(all.length > 15, `${all.length} lines`);
    assertEquals(packaged.toSorted(), all.toSorted(), side);
  }
});

Deno.test("an upgrade of dom0 knows every package for it, and none for a VM", () => {
  assertEquals(DOM0_PACKAGES.toSorted(), namesOf(({ side }) => side !== "vm"));
});

for (const side of ["dom0", "vm"] as const) {
  Deno.test(`rpm, ${side}: the spec has the packages of the table, and their units`, () => {
    const spec = SPECS[side];
    const main = /^Name: +(\S+)$/m.exec(spec)?.[1];
    const others = [...spec.matchAll(/^%package -n (\S+)$/gm)].map(([, name = ""]) => name);
    const wanted = namesOf((one) => one.side === side || one.side === null);
    assertEquals([main ?? "", ...others].toSorted(), wanted);
    const listed = /^%global packages (.*)$/m.exec(spec)?.[1]?.replace(/%\{\?\w+:(\S+)\}/, "$1");
    assertEquals(listed?.split(" ").toSorted(), wanted);
    for (const name of wanted) assertStringIncludes(spec, `-f ${name}.rpm-files`);
    const scripts = spec.slice(spec.indexOf("%install"), spec.indexOf("%files"));
    const units = PROGRAMS.filter((one) => one.side === side)
      .flatMap(({ units = [], userUnits = [] }) => [...units, ...userUnits]);
    assertEquals(units.filter((unit) => !scripts.includes(unit)), []);
    assertStringIncludes(scripts, "openclaw-tunnel@\\*.service"); // all instances
  });
}

Deno.test("rpm: no folder of Qubes or of the system is a package's", () => {
  const folders = PACKAGES.flatMap(({ name }) =>
    [...(MADE.get(`packages/${name}.rpm-files`) ?? "").matchAll(/^%dir .*?(\S+)$/gm)]
      .map(([, path = ""]) => path)
  );
  assert(folders.length > 8, `${folders.length} folders`);
  const own = /\/qubes-claw(-formula)?(\/|$)|\/qubes\/remote(-policy)?\.d$/;
  assertEquals(folders.filter((path) => !own.test(path)), []);
});

Deno.test("builder v2 finds its files: specs, and the sources of the specs", () => {
  const builder = read("../../.qubesbuilder");
  for (const spec of Object.values(SPECS)) {
    const left = spec.match(/@[A-Z]+@/g) ?? []; // what the builder fills in
    assertEquals(left.toSorted(), ["@CHANGELOG@", "@REL@", "@VERSION@"]);
  }
  for (const [set, side] of [["host", "dom0"], ["vm", "vm"]] as const) {
    assertStringIncludes(
      builder,
      `\n${set}:\n  rpm:\n    build:\n    - shared/packaging/rpm/qubes-claw-${side}.spec\n`,
    );
    const sources = [...SPECS[side].matchAll(/^Source\d: +(\S+)$/gm)].map(([, name]) => name);
    const [archive, ...named] = sources.map((name = "") => name.replace("%{version}", "@VERSION@"));
    assertEquals(archive, "qubes-claw-@VERSION@.tar.gz");
    const [url, sha256] = ["url", "sha256"].map((key) =>
      new RegExp(`^  [- ] ${key}: (?:\\S+/)?(\\S+)$`, "m").exec(builder)?.[1]
    );
    assertEquals(named, [url, sha256]);
  }
});

Deno.test("Debian and Arch: the packages for a VM, in this version", () => {
  const wanted = namesOf(({ side }) => side !== "dom0");
  const control = [...read("debian/control").matchAll(/^Package: (\S+)$/gm)];
  assertEquals(control.map(([, name = ""]) => name).toSorted(), wanted);
  assertStringIncludes(read("debian/changelog"), `qubes-claw (${VERSION}-1) `);
  const pkgbuild = read("arch/PKGBUILD.in");
  assertEquals(/^pkgname=\((.*)\)$/m.exec(pkgbuild)?.[1]?.split(" ").toSorted(), wanted);
  for (const name of wanted) assertStringIncludes(pkgbuild, `package_${name}() {`);
  const system = systemUnits("vm").map((unit) => unit.replace("@.", "@*."));
  const script = read("arch/qubes-claw-vm.install");
  assertEquals(system.filter((unit) => !script.includes(unit)), []);
});

Deno.test("the formula's package holds every file of the formula", () => {
  const below = (folder: string): readonly string[] =>
    [...Deno.readDirSync(new URL(folder, FOLDER))].flatMap(({ name, isDirectory }) =>
      isDirectory ? below(`${folder}/${name}`) : [`${folder}/${name}`]
    );
  const files = below("salt").filter((path) => path !== "salt/README.md");
  const packaged = PACKAGES.flatMap(({ files = [] }) => files.map(({ source }) => source));
  assertEquals(packaged.toSorted(), files.toSorted());
});

Deno.test("each package names the Deno that the Makefile has", () => {
  const makefile = read("../../Makefile");
  const version = /^DENO_VERSION := (\S+)$/m.exec(makefile)?.[1] ?? "none";
  for (const spec of Object.values(SPECS)) {
    assertStringIncludes(spec, `bundled(deno) = ${version}\n`);
  }
});

function systemUnits(side: Side): readonly string[] {
  return [
    ...new Set(PROGRAMS.filter((one) => one.side === side).flatMap(({ units = [] }) => units)),
  ];
}

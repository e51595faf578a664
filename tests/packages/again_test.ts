// SPDX-License-Identifier: GPL-2.0-or-later
/** Whoever has the two source archives builds the same bytes: elsewhere, later, without network. @module */

import { assert, assertEquals } from "@std/assert";
import { VERSION } from "../../shared/io/version.ts";
import { sha256Hex } from "../../shared/io/sha256.ts";
import { DIST, good } from "./dist.ts";

const SOURCE = `qubes-claw-${VERSION}.tar.gz`;
const VENDOR = `qubes-claw-vendor-${VERSION}.tar.gz`;
/** The first build's tools: what is in the archive has to do. */
const NOT_HERE = ["DENO", "COMPILE_DENO", "DENORT_BIN", "MAKEFLAGS", "MAKEOVERRIDES"];

/** By name, of what this source makes; an Arch package has the name of the folder it was built in. */
async function hashesIn(folder: string): Promise<ReadonlyMap<string, string>> {
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name)
    .filter((name) => /-1[._-].*(rpm|deb)$/.test(name) || name === SOURCE || name === VENDOR);
  return new Map(
    await Promise.all(
      names.toSorted().map(async (name): Promise<[string, string]> => [
        name,
        sha256Hex(await Deno.readFile(`${folder}/${name}`)),
      ]),
    ),
  );
}

Deno.test("rpm, deb: built again from the archives, without network, each is the same", async () => {
  const folder = await Deno.makeTempDir({ prefix: "elsewhere-" });
  try {
    await good("tar", "-C", folder, "-xzf", `${DIST}/${SOURCE}`);
    const source = `${folder}/qubes-claw-${VERSION}`;
    await good("tar", "-C", source, "-xzf", `${DIST}/${VENDOR}`);
    const without = NOT_HERE.flatMap((name) => ["-u", name]);
    const make = ["unshare", "--net", "make", "-C", source, "rpm", "deb"];
    await good("env", ...without, ...make);
    const again = await hashesIn(`${source}/build/dist`);
    assert(again.size >= 12, [...again.keys()].join(" "));
    assertEquals(again, await hashesIn(DIST));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

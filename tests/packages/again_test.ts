// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Whoever has the two source archives makes the same release: elsewhere, later, without network. The
 * first one is that of "make dist"; the second takes about as long: three minutes on two cores.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { VERSION } from "../../shared/io/version.ts";
import { DIST, good } from "./dist.ts";

const SOURCE = `qubes-claw-${VERSION}.tar.gz`;
const VENDOR = `qubes-claw-vendor-${VERSION}.tar.gz`;
/** The first build's tools: what is in the archive has to do. */
const NOT_HERE = ["DENO", "COMPILE_DENO", "DENORT_BIN", "MAKEFLAGS", "MAKEOVERRIDES"];

const sums = (folder: string): readonly string[] =>
  Deno.readTextFileSync(`${folder}/SHA256SUMS`).trimEnd().split("\n");

Deno.test("make dist, again, from the archives, elsewhere and without network: the same hashes", async () => {
  const folder = await Deno.makeTempDir({ prefix: "elsewhere-" });
  try {
    await good("tar", "-C", folder, "-xzf", `${DIST}/${SOURCE}`);
    const source = `${folder}/qubes-claw-${VERSION}`;
    await good("tar", "-C", source, "-xzf", `${DIST}/${VENDOR}`);
    const without = NOT_HERE.flatMap((name) => ["-u", name]);
    await good("env", ...without, "unshare", "--net", "make", "-C", source, "dist");
    const again = sums(`${source}/build/dist`);
    // Sources, packages of three systems, the archive for dom0, the SPDX list, each program.
    assert(again.length >= 50, again.join("\n"));
    assertEquals(again, sums(DIST));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

// SPDX-License-Identifier: GPL-2.0-or-later
/** A program from before leaves alone what a newer one wrote. @module */

import { assertEquals, assertRejects } from "@std/assert";
import { ConfigError, EXIT_CONFIG } from "../../../shared/cli/program.ts";
import {
  noteFormats,
  readFormats,
  refuseNewer,
  type StateFormat,
} from "../../../shared/io/state_formats.ts";
import { VERSION } from "../../../shared/io/version.ts";
import { withFolder } from "../../dom0/fixture.ts";

const KNOWN: readonly StateFormat[] = [
  { name: "ledger", version: 2, paths: ["/lib/ledger", "/lib/ledger.dates"] },
  { name: "keys", version: 1, paths: ["/etc/keys"] },
];

/** What is in the file, and what is said of it; null: it is taken. */
const CASES: readonly (readonly [name: string, text: string | null, says: string | null])[] = [
  ["no file: everything is version 1", null, null],
  ["nothing in it", "", null],
  ["the same versions", "ledger 2\nkeys 1\n", null],
  ["an older one", "ledger 1\n", null],
  [
    "a newer one",
    "keys 1\nledger 3\n",
    `/lib/ledger is in version 3, and this program, ${VERSION}, knows version 2`,
  ],
  ["a kind of state from later", "quotas 1\n", 'names state of the kind "quotas"'],
  ["no version", "ledger\n", 'has a line that is not understood: "ledger"'],
  ["a version of another spelling", "ledger 02\n", "not understood"],
  ["a line of something else", "ledger 2\nkeys one\n", 'not understood: "keys one"'],
];

for (const [name, text, says] of CASES) {
  Deno.test(`formats: ${name}: ${says === null ? "taken" : "refused"}`, () =>
    withFolder(async (folder) => {
      const file = `${folder}/formats`;
      if (text !== null) Deno.writeTextFileSync(file, text);
      if (says === null) return await refuseNewer(file, KNOWN);
      const error = await assertRejects(() => refuseNewer(file, KNOWN), ConfigError, says);
      assertEquals([error.exitCode, error.hints.length], [EXIT_CONFIG, 1]);
      assertEquals(Deno.readTextFileSync(file), text);
    }));
}

Deno.test("formats: noted once, raised, and written only where something changes", () =>
  withFolder(async (folder) => {
    const file = `${folder}/formats`;
    await noteFormats(file, KNOWN);
    const first = Deno.statSync(file).ino;
    assertEquals(Deno.readTextFileSync(file), "ledger 2\nkeys 1\n");
    await noteFormats(file, KNOWN);
    assertEquals(Deno.statSync(file).ino, first);
    const [ledger, keys] = KNOWN;
    if (ledger === undefined || keys === undefined) throw new Error("bug");
    await noteFormats(file, [{ ...ledger, version: 3 }, keys]);
    assertEquals([...await readFormats(file)], [["ledger", 3], ["keys", 1]]);
  }));

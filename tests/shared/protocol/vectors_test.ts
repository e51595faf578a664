// SPDX-License-Identifier: GPL-2.0-or-later
/** The corpus itself: every file is counted, and every file is read by a test. @module */

import { assert, assertEquals } from "@std/assert";
import { CASES, readVectors } from "./vectors.ts";

const FOLDERS = ["./", "./live/", "./mux/"].map((folder) => new URL(folder, import.meta.url));

Deno.test("every vector file of the protocol is there, with all its cases", () => {
  let cases = 0;
  for (const file of Object.keys(CASES)) cases += readVectors(file).length;
  assert(cases >= 880, `${cases} cases in all, want 880`);
});

Deno.test("every vector file is read by a test", () => {
  const tests = FOLDERS.flatMap((folder) =>
    [...Deno.readDirSync(folder)].filter(({ name }) => name.endsWith("_test.ts"))
      .map(({ name }) => Deno.readTextFileSync(new URL(name, folder)))
  ).join("\n");
  const unread = Object.keys(CASES).filter((file) => !tests.includes(`>("${file}"`));
  assertEquals(unread.join(" "), "", "nobody reads these");
});

// SPDX-License-Identifier: GPL-2.0-or-later
/** Usage lines are read as people read them. @module */

import { assertEquals } from "@std/assert";
import { alternatives, parseUsage } from "../../../shared/packaging/usage.ts";

const CASES: readonly (readonly [usage: string, options: string, words: string])[] = [
  ["", "", ""],
  ["VM", "", "VM"],
  ["[--json]", "--json", ""],
  ["[--fetch [--fingerprint F]] VM [KEY]", "--fetch --fingerprint=F", "VM KEY"],
  ["--grant monitor|full [--scope @tag:NAME]", "--grant=monitor|full --scope=@tag:NAME", ""],
  ["[-n N] [--failed]", "-n=N --failed", ""],
  ["[clean|debug] [VM] [--json]", "--json", "clean|debug VM"],
  ["[PORT[:REMOTE]]... --listen ADDR:PORT", "--listen=ADDR:PORT", "PORT"],
  ["VM -- WORDS --not-mine", "", "VM"],
];

for (const [usage, options, words] of CASES) {
  Deno.test(`parseUsage() of ${JSON.stringify(usage)}`, () => {
    const parsed = parseUsage(usage);
    const shown = parsed.options.map(({ name, value }) =>
      value === undefined ? name : `${name}=${value}`
    );
    assertEquals([shown.join(" "), parsed.words.join(" ")], [options, words]);
  });
}

Deno.test("a bar between blanks parts the ways to go on, but not inside brackets", () => {
  assertEquals(alternatives("show [--a | --b] [-n N] | verify"), [
    "show [--a | --b] [-n N]",
    "verify",
  ]);
  assertEquals(alternatives("[a|b] VM"), ["[a|b] VM"]);
});

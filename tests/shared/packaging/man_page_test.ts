// SPDX-License-Identifier: GPL-2.0-or-later
/** A page says all that the table has, and nothing else. @module */

import { assertEquals, assertThrows } from "@std/assert";
import type { CommandLine } from "../../../shared/packaging/command_lines.ts";
import { manPage } from "../../../shared/packaging/man_page.ts";

const LINE: CommandLine = {
  program: "tool",
  options: [
    { name: "--vm", value: "VM" },
    { name: "--help", short: "-h", about: "this text" },
  ],
  words: [],
  commands: [
    { path: "key gen", usage: "[--force] [KEY]", about: "make a key", options: [], words: [] },
    { path: "status", usage: "", options: [], words: [] },
  ],
};

Deno.test("heads come from the table, and so does what the page leaves to it", () => {
  const source =
    ".SH A\n.OPTION VM vm\nWhich.\n.OPTIONS\n.SH B\n.COMMAND status\nHow.\n.COMMANDS\n";
  assertEquals(manPage(source, LINE).split("\n"), [
    ...[".SH A", ".TP", "\\fIVM\\fR, \\fB\\-\\-vm\\fR \\fIVM\\fR", "Which."],
    ...[".TP", "\\fB\\-h\\fR, \\fB\\-\\-help\\fR", "This text."],
    ...[".SH B", ".TP", "\\fBstatus\\fR", "How."],
    ...[".TP", "\\fBkey\\fR \\fBgen\\fR [\\fB\\-\\-force\\fR] [\\fIKEY\\fR]", "Make a key.", ""],
  ]);
});

Deno.test("a page that leaves something out, or names what is not there, is refused", () => {
  const page = ".OPTION vm help\n.COMMAND key gen, status\n";
  manPage(page, LINE);
  const bad: readonly (readonly [source: string, message: string])[] = [
    [".OPTION vm\n.COMMAND key gen, status\n", "leaves out --help"],
    [".OPTION vm help\n.COMMAND status\n", "leaves out key gen"],
    [`${page}.OPTION vmm\n`, "describes --vmm, which there is not"],
    [`${page}.COMMAND key\n`, "describes the command key, which there is not"],
    [".OPTION help\n.OPTIONS\n.COMMANDS\n", "no line about"],
  ];
  for (const [source, message] of bad) assertThrows(() => manPage(source, LINE), Error, message);
});

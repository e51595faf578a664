// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals, assertThrows } from "@std/assert";
import { didYouMean, isOneEditAway, nearestWord } from "../../../shared/cli/did_you_mean.ts";
import { parseWords, refuseOptionWord } from "../../../shared/cli/options.ts";
import { UsageError } from "../../../shared/cli/program.ts";

Deno.test("isOneEditAway(): added, left out, changed, exchanged, and nothing else", () => {
  const cases: readonly (readonly [a: string, b: string, is: boolean])[] = [
    ["stauts", "status", true],
    ["tsatus", "status", true],
    ["statsu", "status", true],
    ["statu", "status", true],
    ["statuss", "status", true],
    ["sttatus", "status", true],
    ["stacus", "status", true],
    ["xtatus", "status", true],
    ["statux", "status", true],
    ["status", "status", false],
    ["stat", "status", false],
    ["sutats", "status", false],
    ["", "k", true],
    ["", "key", false],
    ["ls", "log", false],
    ["aab", "aba", true],
    ["abab", "baba", false],
  ];
  for (const [a, b, is] of cases) {
    assertEquals(isOneEditAway(a, b), is, `${a} ${b}`);
    assertEquals(isOneEditAway(b, a), is, `${b} ${a}`);
  }
});

Deno.test("nearestWord(): a beginning, or one edit, and never a guess from far away", () => {
  const known = ["timeout", "verbose", "verify", "json", "help"];
  assertEquals(nearestWord("time", known), "timeout");
  assertEquals(nearestWord("jsno", known), "json");
  assertEquals(nearestWord("time-out", known), "timeout");
  assertEquals(nearestWord("JSON", known), "json");
  assertEquals(nearestWord("vrebosse", known), undefined);
  assertEquals(nearestWord("verbosse", known), "verbose");
  assertEquals(nearestWord("ver", known), undefined, "two begin so");
  assertEquals(nearestWord("color", known), undefined);
  assertEquals(nearestWord("", known), undefined);
  assertEquals(nearestWord("x", []), undefined);
  assertEquals(didYouMean("jsn", known, "--"), ['did you mean "--json"?']);
});

const TABLE = { timeout: "value", json: "flag", help: "flag", version: "flag" } as const;
const SHORT = { t: "timeout", h: "help" } as const;

Deno.test("parseWords(): a wrong option names the right one", () => {
  const cases: readonly (readonly [word: string, hint: string])[] = [
    ["--timout", 'did you mean "--timeout"?'],
    ["--timout=5", 'did you mean "--timeout"?'],
    ["--time", 'did you mean "--timeout"?'],
    ["-json", 'did you mean "--json"?'],
    ["-timeout", 'did you mean "--timeout"?'],
    ["\u2014json", 'did you mean "--json"?'],
    ["\u2013json", 'did you mean "--json"?'],
    ["--frobnicate", "--help lists them"],
    ["-x", "--help lists them"],
  ];
  for (const [word, hint] of cases) {
    for (const place of ["before words", "anywhere"] as const) {
      const error = assertThrows(() => parseWords([word], TABLE, SHORT, place), UsageError);
      assertEquals(error.hints, [hint], word);
    }
  }
  assertEquals(parseWords(["-t5"], TABLE, SHORT).value("timeout"), "5");
});

Deno.test('parseWords(): "help" and "version" alone are those options, where there are any', () => {
  for (const word of ["help", "version"]) {
    const alone = parseWords([word], TABLE, SHORT);
    assertEquals([alone.has(word), alone.rest], [true, []]);
    assertEquals(parseWords(["--json", word], TABLE, SHORT).has(word), true);
    assertEquals(parseWords([word, "x"], TABLE, SHORT).rest, [word, "x"]);
    assertEquals(parseWords(["--", word], TABLE, SHORT).rest, [word]);
    assertEquals(parseWords([word], { json: "flag" }).rest, [word]);
  }
});

Deno.test("refuseOptionWord(): an option without its dashes is no first word", () => {
  const refuse = (...words: string[]) => refuseOptionWord(parseWords(words, TABLE), TABLE);
  assertThrows(() => refuse("json", "x"), UsageError, "unexpected word: json");
  refuse("work", "json");
  refuse("timeout", "x");
  refuse("--", "json");
  refuse("constructor");
});

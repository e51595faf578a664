// SPDX-License-Identifier: GPL-2.0-or-later
/** What reaches a terminal: hostile text, log lines, JSON. @module */

import { assert, assertEquals } from "@std/assert";
import { journalArguments, logText, readJournalLine } from "../../../vm/ctl/journal.ts";
import {
  asciiJson,
  isoTime,
  shown,
  shownLines,
  table,
  withoutSecrets,
} from "../../../vm/ctl/text.ts";
import type { UnitName } from "../../../vm/probe/units.ts";
import { createPrng } from "../../fuzz/prng.ts";

Deno.test("shown text is what it was where that is safe, and escapes elsewhere", () => {
  for (
    const [text, want] of [
      ["plain", "plain"],
      ['a "quoted" \\ word', 'a "quoted" \\ word'],
      ["\x1b]0;title\x07", "\\u{1b}]0;title\\u{7}"],
      ["two\nlines", "two\\nlines"],
      ["\u202egnp.exe", "\\u{202e}gnp.exe"],
      ["", ""],
    ] as const
  ) assertEquals(shown(text), want);
  assertEquals(shown("x".repeat(10), 4), "xxxx...");
  assertEquals(shownLines("a\n\x1b[31mb\x1b[0m\n"), "a\nb\n");
});

Deno.test("random bytes never reach a terminal as control characters", () => {
  const safe = /^[\x20-\x7e\n]*$/;
  for (let seed = 1; seed <= 300; seed++) {
    const { bytes, below } = createPrng(seed);
    const text = new TextDecoder("latin1").decode(bytes(below(200)));
    for (const out of [shown(text), shownLines(text), asciiJson({ [text]: text }, 2)]) {
      assert(safe.test(out), `seed ${seed}: ${JSON.stringify(out)}`);
    }
    assertEquals(JSON.parse(asciiJson({ [text]: text })), { [text]: text });
    const line = readJournalLine(
      JSON.stringify({ __REALTIME_TIMESTAMP: "1", _SYSTEMD_UNIT: "u", MESSAGE: text }),
      [{ part: "proxy", unit: "u", scope: "system" }],
    );
    assert(line !== null && safe.test(logText(line)), `seed ${seed}`);
  }
});

Deno.test("what looks like a secret is taken out of a log line, and the rest stays", () => {
  for (
    const [text, want] of [
      ["key=abcdefgh ok", "key=[secret] ok"],
      ['{"token":"abcdefgh","n":1}', '{"token":"[secret]","n":1}'],
      ["http://x/#bootstrapToken=abcdef0123&y=1", "http://x/#bootstrapToken=[secret]&y=1"],
      ["Authorization: Bearer abcdefgh", "Authorization: Bearer [secret]"],
      ["sk-ant-api03-abcdefghijkl", "sk-[secret]"],
      ["2200 tokens, 3 keys", "2200 tokens, 3 keys"],
    ] as const
  ) assertEquals(withoutSecrets(text), want);
});

Deno.test("journalctl is asked for units of both kinds, and other entries are left out", () => {
  const units: readonly UnitName[] = [
    { part: "tunnel", unit: "openclaw-tunnel@1.service", scope: "system" },
    { part: "gateway", unit: "openclaw-gateway.service", scope: "user" },
  ];
  const words = journalArguments(units, { lines: 5, since: "today", follow: true });
  assertEquals(words.slice(-4), [
    ...["--since=today", "--follow", "--unit=openclaw-tunnel@1.service"],
    "--user-unit=openclaw-gateway.service",
  ]);
  for (const line of ["", "{", "null", "7", "{}", '{"_SYSTEMD_UNIT":"x"}']) {
    assertEquals(readJournalLine(line, units), null);
  }
});

Deno.test("tables are as wide as what is in them", () => {
  assertEquals(table([["a", 1], ["bbb", 22]]), "a     1\nbbb  22\n");
});

Deno.test("a time that no clock shows is none", () => {
  assertEquals(isoTime(0), "1970-01-01T00:00:00.000Z");
  for (const odd of [null, NaN, Infinity, 1e300, -1e300]) assertEquals(isoTime(odd), null);
});

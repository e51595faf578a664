// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { ParkedView } from "../../../dom0/approval/parked_view.ts";
import { foldLines, presentRequest, visibleLine } from "../../../dom0/approval/present.ts";
import { utf8 } from "../../../shared/protocol/bytes.ts";

const VIEW: ParkedView = {
  steps: null,
  brings: null,
  ...{ number: 3, vm: "agent", id: "20261122-091500-1-00000001", hash: "h" },
  ...{ parkedAtMs: 0, expiresAtMs: 3600_000, operation: "vm.prefs.set", level: "manage" },
  ...{ summary: "Set a property of a qube", targets: ["work"], rule: "50-agent.policy:3" },
  ...{ why: null, timeoutMs: 300_000, argvs: [["qvm-prefs", "work", "memory", "a b"]] },
  ...{ destructive: false, grantable: "like", undo: 'by "qvm-remote-dom0 undo" and its id' },
  preview: {
    rows: [
      { what: "memory of work", before: { value: "400", isDefault: true }, after: "a b" },
      { what: "the qube work", before: { state: "Halted", disk: "20" }, after: null },
      { what: "rules", before: [] },
      { what: "a tag", before: false, after: true },
    ],
    unknown: ["bytes of work:private: qvm-volume ended with code 2"],
  },
};

Deno.test("what a person reads: who, what, on which target, what would change, what undoes it", () => {
  assertEquals(
    presentRequest(VIEW, null),
    `Request 3 of agent waits for an answer

  what      vm.prefs.set: Set a property of a qube (manage)
  targets   work
  reason    none given
  rule      50-agent.policy:3
  limit     300 s
  lasting   nothing is destroyed
  undo      by "qvm-remote-dom0 undo" and its id
  expires   1970-01-01T01:00:00.000Z
  id        20261122-091500-1-00000001

It runs, as root in dom0, without a shell:
  qvm-prefs work memory 'a b'

What would change, as dom0 reads it now:
  memory of work: 400 (the default) -> a b
  the qube work: {"state":"Halted","disk":"20"} -> gone
  rules: []
  a tag: no -> yes
  not known: bytes of work:private: qvm-volume ended with code 2
`,
  );
});

Deno.test("nothing that a VM wrote moves a cursor, hides a character or turns a line around", () => {
  const hostile = "\x1b[2J\r\u{202e}gnp\u{200b}\u{feff}\u{85}é аdmin\n  undo      trust me";
  const shown = presentRequest({ ...VIEW, why: hostile, argvs: [["echo", hostile]] }, null);
  assert(/^[\x20-\x7e\n]*$/.test(shown), shown);
  assertEquals(shown.split("\n").length, presentRequest(VIEW, null).split("\n").length);
  assertStringIncludes(
    shown,
    "\\u{1b}[2J\\u{d}\\u{202e}gnp\\u{200b}\\u{feff}\\u{85}\\u{e9} \\u{430}dmin\\u{a}",
  );
});

Deno.test("a script is shown whole, line by line, bytes that are no text as what they are", () => {
  const script = new Uint8Array([...utf8("echo one\n\tif true\nrm\x00 "), 0xff, 0x0a]);
  const shown = presentRequest({ ...VIEW, argvs: null }, script);
  assertStringIncludes(
    shown,
    `(${script.length} bytes):\n   1 | echo one\n   2 |     if true\n   3 | rm\\u{0} \\u{ff}\n`,
  );
  assertStringIncludes(presentRequest({ ...VIEW, argvs: null }, null), "cannot be read");
});

Deno.test("plain text is shown as it is", () => {
  assertEquals(
    visibleLine("qvm-prefs --set work memory 400 # 100%"),
    "qvm-prefs --set work memory 400 # 100%",
  );
});

Deno.test("present: no line goes on behind the edge of a window, and nothing is left out", () => {
  const long = "a".repeat(10) + "b".repeat(10) + "c".repeat(5);
  assertEquals(
    foldLines(`short\n${long}\n`, 17),
    `short\n${long.slice(0, 17)}\n   ... ${long.slice(17)}\n`,
  );
  for (let length = 0; length < 60; length++) {
    const line = "0123456789".repeat(6).slice(0, length);
    const folded = foldLines(line, 17).split("\n");
    assert(folded.every((one) => one.length <= 17));
    assertEquals(folded.map((one) => one.replace("   ... ", "")).join(""), line);
  }
});

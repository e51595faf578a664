// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals } from "@std/assert";
import {
  explainedLines,
  operationLines,
  planLine,
} from "../../../../vm/remote/view/value_lines.ts";

const OPERATIONS = [
  { name: "vm.list", level: "monitor", decision: "allow", summary: "The qubes there are." },
  { name: "vm.start", level: "manage", decision: "ask", summary: "Starts a qube." },
  { name: "vm.run", level: "full", decision: "deny", summary: "Runs a command." },
];

Deno.test("operations are a table, coloured by what the VM may do", () => {
  assertEquals(
    operationLines(OPERATIONS, false),
    "OPERATION  LEVEL    YOU MAY  WHAT IT DOES\n" +
      "vm.list    monitor  allow    The qubes there are.\n" +
      "vm.start   manage   ask      Starts a qube.\n" +
      "vm.run     full     deny     Runs a command.\n",
  );
  const coloured = operationLines(OPERATIONS, true) ?? "";
  assertEquals(
    coloured.split("\n")[2],
    "vm.start   manage   \x1b[33mask    \x1b[0m  Starts a qube.",
  );
  assertEquals(operationLines([], true), "OPERATION  LEVEL  YOU MAY  WHAT IT DOES\n");
});

Deno.test("what is of another shape is no table", () => {
  for (
    const value of [null, 1, "x", {}, [1], [null], [{ name: "x" }], [{
      ...OPERATIONS[0],
      level: 1,
    }]]
  ) {
    assertEquals(operationLines(value, false), null, JSON.stringify(value));
  }
  for (const value of [null, [], 1, "x"]) assertEquals(explainedLines(value), null);
});

Deno.test("what dom0 explains is a fact a line, deeper ones as JSON", () => {
  const value = {
    operation: "vm.prefs.set",
    decision: "ask",
    because: "30-work.policy:3",
    preview: { memory: { old: "400", new: "4096" } },
    note: "two\nlines",
  };
  assertEquals(
    explainedLines(value),
    "operation  vm.prefs.set\n" +
      "decision   ask\n" +
      "because    30-work.policy:3\n" +
      "preview    {\n" +
      '             "memory": {\n' +
      '               "old": "400",\n' +
      '               "new": "4096"\n' +
      "             }\n" +
      "           }\n" +
      "note       two\n" +
      "           lines\n",
  );
});

Deno.test("what is known only later is a line each", () => {
  const value = {
    decision: "ask",
    later: ["step 2: a: known only after step 1", "step 3: \u{202e}"],
  };
  assertEquals(
    explainedLines(value),
    "decision  ask\nlater     step 2: a: known only after step 1\n          step 3: \\u{202e}\n",
  );
});

Deno.test("a preview says what would change, from what to what", () => {
  const preview = [
    { what: "memory of work", before: "400", after: "800" },
    { what: "tags of work", before: ["a"], after: [] },
    { what: "qube old", before: { class: "AppVM" }, after: null },
    { what: "note of work", before: null, after: "x" },
    {
      ...{ what: "netvm of work", before: { value: "sys-net", isDefault: true } },
      after: { value: null, isDefault: false },
    },
    { what: "size of old", before: 12 },
  ];
  assertEquals(
    explainedLines({ operation: "vm.prefs.set", preview }),
    "operation  vm.prefs.set\n" +
      "preview    memory of work: 400 -> 800\n" +
      '           tags of work: ["a"] -> []\n' +
      '           qube old: {"class":"AppVM"} -> gone\n' +
      "           note of work: nothing -> x\n" +
      "           netvm of work: sys-net (the default) -> nothing\n" +
      "           size of old: now 12\n",
  );
});

Deno.test("names from other VMs steer no terminal", () => {
  const steering = "a\x1b[2J\u202eb\nc";
  const [first = OPERATIONS[0]] = OPERATIONS;
  const lines = operationLines([{ ...first, summary: steering }], false) ?? "";
  assertEquals(lines.split("\n")[1]?.endsWith("a^[[2J\\u{202e}b^Jc"), true, lines);
  assertEquals(explainedLines({ [steering]: steering })?.includes("\x1b"), false);
});

Deno.test("a step of a plan, and the plan, are a line each", () => {
  const cases: readonly (readonly [value: unknown, line: string | null])[] = [
    [
      { step: 1, name: "new", operation: "vm.create", outcome: "done", exit: 0, result: null },
      "step 1 (new): vm.create: done",
    ],
    [
      { step: 2, operation: "vm.start", outcome: "failed", exit: 1, stderr: "no\nmemory\n" },
      "step 2: vm.start: failed, exit 1: no^Jmemory",
    ],
    [{ step: 3, operation: "vm.kill", outcome: "refused" }, "step 3: vm.kill: refused"],
    [{ plan: "done", steps: 3, done: 3 }, "plan done: 3 of 3 steps done"],
    [
      { plan: "failed", steps: 3, done: 2, undone: [2], notUndone: [1] },
      "plan failed: 2 of 3 steps done; undone: 2; not undone: 1",
    ],
    [{ plan: "failed" }, null],
    [{ step: "1", operation: "x", outcome: "done" }, null],
    [{ operation: "x", outcome: "done" }, null],
    [[], null],
    [null, null],
    [1, null],
  ];
  for (const [value, line] of cases) assertEquals(planLine(value), line, JSON.stringify(value));
});

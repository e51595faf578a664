// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../../../../shared/cli/program.ts";
import { parse } from "@std/yaml/parse";
import { operationsIn, planText } from "../../../../vm/remote/client/plan_text.ts";

const text = (source: string, undoOnFailure = false): string =>
  planText(source, parse, { undoOnFailure });

Deno.test("planText() makes JSON of YAML, and leaves JSON what it is", () => {
  const cases: readonly (readonly [source: string, json: string])[] = [
    [
      "steps:\n- operation: vm.start\n  vm: work\n",
      `{"steps":[{"operation":"vm.start","vm":"work"}]}`,
    ],
    ["- operation: vm.list\n", `{"steps":[{"operation":"vm.list"}]}`],
    ['{\n\t"steps": [{"a": "\\u00e9\\/", "b": 1.5}]\n}', `{"steps":[{"a":"é/","b":1.5}]}`],
    [
      "a: yes\nb: 'no'\nc: 2026-11-22\nd: 12:30\n",
      `{"a":"yes","b":"no","c":"2026-11-22","d":"12:30"}`,
    ],
    ["a: true\nb: null\nc: 0x10\n", `{"a":true,"b":null,"c":16}`],
    ["a: |\n  one\n  two\n", `{"a":"one\\ntwo\\n"}`],
    ["a: &x {b: 1}\nc: *x\n", `{"a":{"b":1},"c":{"b":1}}`],
    ["# nothing but a list\n[]\n", `{"steps":[]}`],
  ];
  for (const [source, json] of cases) assertEquals(text(source), json, source);
  assertEquals(text("[]", true), `{"steps":[],"undoOnFailure":true}`);
  assertEquals(text("steps: []\nundoOnFailure: false", true), `{"steps":[],"undoOnFailure":true}`);
});

Deno.test("planText() refuses what it cannot say in JSON, and says what", () => {
  const bomb = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"].concat(
    Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i},`.repeat(10)}]`),
  ).join("\n");
  const cases: readonly (readonly [source: string, message: string])[] = [
    ["a: 1\na: 2\n", "the plan is neither YAML nor JSON: "],
    ['{"a": 1, "a": 2}', "duplicated key"],
    ["a: [\n", "the plan is neither YAML nor JSON: "],
    ["a: 1\n---\nb: 2\n", "single document"],
    ["a: !!js/function f\n", "unknown tag"],
    ["a: !!binary aGk=\n", "unknown tag"],
    ["", "neither a list of steps nor a mapping"],
    ["just words\n", "neither a list of steps nor a mapping"],
    ["a: .inf\n", "a number that JSON cannot keep: Infinity"],
    ["a: .nan\n", "a number that JSON cannot keep: NaN"],
    ["a: 12345678901234567890\n", "a number that JSON cannot keep"],
    ["&a [*a]\n", "too large"],
    [bomb, "too large"],
    ["[".repeat(40) + "]".repeat(40), "too large"],
  ];
  for (const [source, message] of cases) {
    assertThrows(() => text(source), UserError, message);
  }
});

Deno.test("a plan of words that every object has is data, and nothing else", () => {
  assertEquals(
    text("__proto__: {steps: []}\nconstructor: x\n"),
    `{"__proto__":{"steps":[]},"constructor":"x"}`,
  );
  assertEquals(({} as { steps?: unknown }).steps, undefined);
});

Deno.test("operationsIn() names what a plan runs, and takes what is no plan", () => {
  assertEquals(operationsIn(text("[{operation: vm.start}, {operation: 3}, 4, null]")), [
    "vm.start",
    "3",
    "undefined",
    "undefined",
  ]);
  for (const odd of ["{}", "steps: 4", "steps: {a: 1}"]) assertEquals(operationsIn(text(odd)), []);
});

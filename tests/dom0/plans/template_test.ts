// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals, assertThrows } from "@std/assert";
import type { JsonValue } from "../../../dom0/operations/operation.ts";
import {
  fillTemplate,
  parseTemplate,
  referencesIn,
  TemplateError,
  templateText,
} from "../../../dom0/plans/template.ts";

const RESULTS: ReadonlyMap<string, JsonValue> = new Map<string, JsonValue>([
  ["mem", "400"],
  ["qubes", [{ name: "work", ip: null }, { name: "${mem}", ip: "10.0.0.1" }]],
  ["prefs", { memory: { value: 400, isDefault: false }, "a-b": "x" }],
  ["list", ["one", "two"]],
]);

const FILLED: readonly (readonly [template: string, text: string])[] = [
  ["", ""],
  ["plain text", "plain text"],
  ["$", "$"],
  ["$x {y} ${mem}", "$x {y} 400"],
  ["${mem}", "400"],
  ["a${mem}b${mem}c", "a400b400c"],
  ["${qubes.0.name}", "work"],
  ["${prefs.memory.value}-${prefs.memory.isDefault}", "400-false"],
  ["${prefs.a-b}", "x"],
  ["${list.1}", "two"],
  ["$${mem}", "${mem}"],
  ["$$${mem}", "$${mem}"],
  ["cost: $${ and ${mem}", "cost: ${ and 400"],
  // What came in is not looked at again.
  ["${qubes.1.name}", "${mem}"],
];

for (const [template, text] of FILLED) {
  Deno.test(`template ${JSON.stringify(template)} becomes ${JSON.stringify(text)}`, () => {
    assertEquals(fillTemplate(parseTemplate(template), RESULTS), text);
  });
}

const NO_TEMPLATES = [
  ...[
    "${",
    "${}",
    "${mem",
    "${ mem }",
    "${Mem}",
    "${1}",
    "${mem.}",
    "${mem..x}",
    "${mem/x}",
    "${.x}",
  ],
  ...["a${mem}${", "${mem[0]}", `\${${"a".repeat(33)}}`, `\${a${".b".repeat(9)}}`, "${mem\n}"],
];

for (const text of NO_TEMPLATES) {
  Deno.test(`${JSON.stringify(text)} is no template`, () => {
    assertThrows(() => parseTemplate(text), TemplateError, "is not ${NAME}");
  });
}

const NO_VALUES: readonly (readonly [template: string, what: string])[] = [
  ["${other}", "is nothing"],
  ["${qubes}", "is more than one value"],
  ["${qubes.0}", "is more than one value"],
  ["${qubes.0.ip}", "is no value"],
  ["${qubes.2.name}", "is nothing"],
  ["${qubes.-1}", "is nothing"],
  ["${qubes.length}", "is nothing"],
  ["${qubes.01}", "is nothing"],
  ["${prefs.constructor}", "is nothing"],
  ["${prefs.__proto__}", "is nothing"],
  ["${mem.length}", "is nothing"],
  ["${mem.0}", "is nothing"],
];

for (const [template, what] of NO_VALUES) {
  Deno.test(`${template} ${what}`, () => {
    assertThrows(() => fillTemplate(parseTemplate(template), RESULTS), TemplateError, what);
  });
}

Deno.test("a template is shown as it was written, and names what it needs", () => {
  const template = parseTemplate("a ${mem} ${qubes.0.name}");
  assertEquals(templateText(template), "a ${mem} ${qubes.0.name}");
  assertEquals(referencesIn(template), [
    { step: "mem", path: [] },
    { step: "qubes", path: ["0", "name"] },
  ]);
});

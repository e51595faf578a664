// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals, assertThrows } from "@std/assert";
import { OPERATIONS } from "../../../dom0/operations/table.ts";
import {
  isKnown,
  MAX_PLAN_CHARS,
  MAX_PLAN_STEPS,
  parsePlan,
  PlanError,
  stepText,
} from "../../../dom0/plans/plan.ts";
import { createPrng } from "../../fuzz/prng.ts";

const LIST = { operation: "vm.list" };
const planOf = (...steps: readonly unknown[]): string => JSON.stringify({ steps });

Deno.test("a plan is read: names, values of each kind, variables", () => {
  const plan = parsePlan(JSON.stringify({
    undoOnFailure: true,
    steps: [
      { operation: "vm.list", name: "all" },
      { operation: "vm.shutdown", vm: "${all.0.name}", wait: true },
      { operation: "vm.firewall.remove", vm: "work", rule_no: 3 },
    ],
  }));
  assertEquals(plan.undoOnFailure, true);
  assertEquals(plan.steps.map(stepText), [
    "step 1 (all): vm.list",
    "step 2: vm.shutdown vm=${all.0.name} (known only when it runs) wait=true",
    "step 3: vm.firewall.remove vm=work rule_no=3",
  ]);
  assertEquals(plan.steps.map(isKnown), [true, false, true]);
  assertEquals([...plan.steps[1]?.known ?? []], [["wait", true]]);
  assertEquals([...plan.steps[2]?.known ?? []], [["vm", "work"], ["rule_no", 3]]);
});

const BAD: readonly (readonly [text: string, says: string])[] = [
  ["", "the plan is not JSON"],
  ["steps: []", "the plan is not JSON"],
  ["null", "the plan is not a mapping"],
  ["[]", "the plan is not a mapping"],
  ['"x"', "the plan is not a mapping"],
  ["{}", "the plan has no list of steps"],
  ['{"steps":{}}', "the plan has no list of steps"],
  ['{"steps":[]}', "the plan has no list of steps"],
  ['{"steps":[],"step":1}', 'the plan has a key "step"; it may have: steps, undoOnFailure'],
  ['{"__proto__":{"steps":[]},"steps":[1]}', 'the plan has a key "__proto__"'],
  ['{"steps":[{}],"undoOnFailure":"yes"}', "undoOnFailure is neither true nor false"],
  [planOf(1), "step 1 is not a mapping"],
  [planOf(LIST, null), "step 2 is not a mapping"],
  [planOf({}), "step 1 names no operation"],
  [planOf({ operation: 5 }), "step 1 names no operation"],
  [planOf(LIST, { operation: "vm.lst" }), 'step 2: there is no operation "vm.lst"'],
  [planOf({ operation: "constructor" }), 'there is no operation "constructor"'],
  [planOf({ operation: "shell", script: "id" }), 'there is no operation "shell"'],
  [planOf({ operation: "a\x1b[31m\n" }), 'there is no operation "a\\u{1b}[31m\\n"'],
  [planOf({ ...LIST, name: "A" }), "step 1: its name is not a word"],
  [planOf({ ...LIST, name: "a.b" }), "step 1: its name is not a word"],
  [planOf({ ...LIST, name: 1 }), "step 1: its name is not a word"],
  [
    planOf({ ...LIST, name: "a" }, { ...LIST, name: "a" }),
    "step 2: an earlier step has the name a",
  ],
  [planOf({ ...LIST, vm: "x" }), 'vm.list has no parameter "vm"; it has: none'],
  [
    planOf({ operation: "vm.start", qube: "x" }),
    'has no parameter "qube"; it has: vm, skip_if_running',
  ],
  [planOf({ operation: "vm.start" }), "step 1: vm.start needs vm"],
  [planOf({ operation: "vm.start", vm: null }), "step 1: vm is not a string, number or boolean"],
  [planOf({ operation: "vm.start", vm: ["x"] }), "step 1: vm is not a string, number or boolean"],
  [
    planOf({ operation: "vm.start", vm: { x: 1 } }),
    "step 1: vm is not a string, number or boolean",
  ],
  [planOf({ operation: "vm.start", vm: "x y" }), 'step 1: vm: "x y" is not a qube name'],
  [planOf({ operation: "vm.start", vm: "--all" }), 'step 1: vm: "--all" is not a qube name'],
  [planOf({ operation: "vm.start", vm: 7 }), 'step 1: vm: "7" is not a qube name'],
  [planOf({ operation: "vm.start", vm: "${" }), 'step 1: vm: "${" is not ${NAME}'],
  [
    planOf({ operation: "vm.start", vm: "${a.b}" }),
    "step 1: vm: no earlier step has the name in ${a}",
  ],
  [
    planOf({ operation: "vm.start", vm: "${a}", name: "a" }),
    "step 1: vm: no earlier step has the name in ${a}",
  ],
  [
    planOf({ operation: "vm.start", vm: "x", name: "a" }, { operation: "vm.start", vm: "${a}" }),
    "step 2: vm: ${a}: vm.start has no result",
  ],
  [
    planOf({ operation: "vm.firewall.remove", vm: "work", rule_no: 1.5 }),
    'step 1: rule_no: "1.5" is not',
  ],
  [
    planOf({ operation: "vm.firewall.remove", vm: "work", rule_no: 1e21 }),
    'step 1: rule_no: "1e+21" is not',
  ],
  [
    planOf(...Array(MAX_PLAN_STEPS + 1).fill(LIST)),
    `the plan has ${MAX_PLAN_STEPS + 1} steps; ${MAX_PLAN_STEPS} are the most`,
  ],
  [" ".repeat(MAX_PLAN_CHARS + 1), `the plan has more than ${MAX_PLAN_CHARS} characters`],
];

for (const [text, says] of BAD) {
  Deno.test(`a plan is refused: ${says}`, () => {
    const { message } = assertThrows(() => parsePlan(text), PlanError, says);
    assert(/^[\x20-\x7e]*$/.test(message), "unescaped text");
    assert(message.length < 400, "a message as long as its writer likes");
  });
}

Deno.test("no text, however it is changed, ends otherwise than as a plan or as a clear error", () => {
  const random = createPrng(20_261_122);
  const good = planOf(
    { ...LIST, name: "all" },
    { operation: "vm.prefs.set", vm: "${all.0.name}", property: "memory", value: "400" },
  );
  const pieces = [
    '"',
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "1e999",
    "-",
    "${",
    "\\u0000",
    "__proto__",
  ];
  let plans = 0;
  for (let n = 0; n < 5000; n++) {
    let text = good;
    for (let edits = 1 + random.below(3); edits > 0; edits--) {
      const at = random.below(text.length);
      text = text.slice(0, at) + random.pick(pieces) + text.slice(at + random.below(4));
    }
    try {
      parsePlan(text);
      plans++;
    } catch (error) {
      assert(error instanceof PlanError, `${text}: ${error}`);
    }
  }
  assert(plans > 10, "nothing was left of any plan");
});

Deno.test("a deep nest is refused, not a stack that overflows", () => {
  for (const open of ["[", '{"steps":']) {
    assertThrows(() => parsePlan(open.repeat(20_000)), PlanError);
    const closed = open === "[" ? "[".repeat(50_000) + "]".repeat(50_000) : "";
    assertThrows(
      () => parsePlan(`{"steps":[{"operation":"vm.start","vm":${closed || "[]"}}]}`),
      PlanError,
    );
  }
});

Deno.test("no operation has a parameter with the name of a key of a step", () => {
  for (const { name, parameters } of OPERATIONS.values()) {
    for (const key of ["operation", "name"]) assert(!parameters.has(key), `${name}: ${key}`);
  }
});

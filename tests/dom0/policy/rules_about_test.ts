// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals } from "@std/assert";
import { OPERATIONS } from "../../../dom0/operations/table.ts";
import { decide } from "../../../dom0/policy/decide.ts";
import { parsePolicy } from "../../../dom0/policy/parse_policy.ts";
import type { QubeFacts, Question } from "../../../dom0/policy/rule.ts";
import { rulesAbout } from "../../../dom0/policy/rules_about.ts";
import { parseVmName, type VmName } from "../../../shared/protocol/vm_name.ts";
import { createPrng, type Prng } from "../../fuzz/prng.ts";

const QUBES = ["work", "lab", "vault", "agent", "unknown"].map(parseVmName);
const TAGS = ["ai", "office", "none-has-it"];
const OPERATION_WORDS = ["*", "@monitor", "@manage", "@full", "vm.*", "vm.prefs.*", "vm.prefs.set"];
const MORE_WORDS = ["vm.start", "vm.list", "shell", "xen.*", "xen.info"];
const TYPES = ["AppVM", "TemplateVM"];
const NOW_MS = Date.UTC(2026, 2, 1, 12, 0);
/** Before now, and after. */
const EXPIRES = ["2026-02-01", "2026-04-01"];

function randomRule(random: Prng): string {
  const qube = (others: readonly string[]): string => {
    if (random.oneIn(2)) return random.pick(others);
    if (random.oneIn(2)) return random.pick(QUBES);
    return random.oneIn(2) ? `@tag:${random.pick(TAGS)}` : `@type:${random.pick(TYPES)}`;
  };
  const operation = random.pick([...OPERATION_WORDS, ...MORE_WORDS]);
  const words = [operation, qube(["@anyvm"]), qube(["*", "-"])];
  const action = random.pick(["allow", "ask", "deny"]);
  const options = [
    ...random.oneIn(4) ? [`expires=${random.pick(EXPIRES)}`] : [],
    ...random.oneIn(4) ? [`timeout=${1 + random.below(60)}`] : [],
  ];
  return [...words, action, ...options].join(" ");
}

function randomFacts(random: Prng): QubeFacts {
  const facts = new Map(QUBES.map((qube) => [qube, {
    tags: new Set(TAGS.filter(() => random.oneIn(2))),
    type: random.pick(TYPES),
  }]));
  return {
    tagsOf: (qube) => qube === "unknown" ? null : facts.get(qube)?.tags ?? new Set(),
    typeOf: (qube) => qube === "unknown" ? null : facts.get(qube)?.type ?? "",
  };
}

function randomQuestion(random: Prng): Question {
  const vm = random.pick(QUBES);
  const targets = Array.from(
    { length: 1 + random.below(3) },
    (): VmName | null => random.oneIn(4) ? null : random.pick(QUBES),
  );
  if (random.oneIn(6)) return { vm, operation: "shell", level: "full", targets: [null] };
  const { name, level } = random.pick([...OPERATIONS.values()]);
  return { vm, operation: name, level, targets };
}

Deno.test("the rules about a question decide it as all rules do, in 20,000 random policies", () => {
  const random = createPrng(20_261_128);
  const decided = new Map<string, number>();
  let shorter = 0;
  for (let round = 0; round < 20_000; round++) {
    const lines = Array.from({ length: random.below(12) }, () => randomRule(random));
    const rules = parsePolicy(new Map([["p.policy", lines.join("\n")]]));
    const facts = randomFacts(random);
    const question = randomQuestion(random);
    const about = rulesAbout(rules, question);
    const decision = decide(rules, question, facts, NOW_MS);
    const said = `${lines.join("\n")}\n${JSON.stringify(question)}`;
    assertEquals(decide(about, question, facts, NOW_MS), decision, said);
    decided.set(decision.action, (decided.get(decision.action) ?? 0) + 1);
    if (about.length < rules.length) shorter++;
  }
  for (const action of ["allow", "ask", "deny"]) {
    assert((decided.get(action) ?? 0) > 1_000, `${action}: ${decided.get(action)}`);
  }
  assert(shorter > 10_000, `${shorter}`);
});

Deno.test("what is left out: other operations, other VMs, what is said already, what is behind *", () => {
  const rules = parsePolicy(
    new Map([[
      "p.policy",
      [
        "vm.start work lab allow expires=2026-04-01",
        "vm.start work lab ask",
        "vm.* work lab deny", // never reached
        "vm.list work lab deny", // another operation
        "vm.start lab lab deny", // another VM
        "vm.start @tag:ai lab deny", // may be about work
        "* @anyvm * deny",
        "vm.start work vault allow", // never reached
      ].join("\n"),
    ]]),
  );
  const [work] = QUBES;
  assert(work !== undefined);
  const about = rulesAbout(rules, { vm: work, operation: "vm.start", level: "manage" });
  assertEquals(about.map(({ where }) => where), [1, 2, 6, 7].map((line) => `p.policy:${line}`));
});

Deno.test("they are picked out once for a set of rules, and anew for another", () => {
  const read = () => parsePolicy(new Map([["p.policy", "* work * allow"]]));
  const [first, second] = [read(), read()];
  const [vm] = QUBES;
  assert(vm !== undefined);
  const asked = { vm, operation: "vm.list", level: "monitor" } as const;
  assert(rulesAbout(first, asked) === rulesAbout(first, asked));
  assert(rulesAbout(first, asked) !== rulesAbout(second, asked));
});

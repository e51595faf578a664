// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals, assertThrows } from "@std/assert";
import { LEVELS } from "../../../dom0/operations/operation.ts";
import { OPERATIONS } from "../../../dom0/operations/table.ts";
import { checkPolicy } from "../../../dom0/policy/check_policy.ts";
import { decide, scopeTags } from "../../../dom0/policy/decide.ts";
import { parsePolicy, PolicyError } from "../../../dom0/policy/parse_policy.ts";
import type { QubeFacts, Question, RuleOptions } from "../../../dom0/policy/rule.ts";
import { parseDom0Path } from "../../../shared/protocol/dom0_path.ts";
import { parseVmName } from "../../../shared/protocol/vm_name.ts";

interface PolicyVector {
  readonly name: string;
  readonly rules: readonly string[];
  /** VM, operation, targets; none: the rules are not well written. */
  readonly ask?: readonly [string, string, ...string[]];
  /** "allow p:1", or where the first error is. */
  readonly expect: string;
  readonly options?: RuleOptions;
}

const VECTORS: readonly PolicyVector[] = JSON.parse(
  Deno.readTextFileSync(new URL("../../vectors/policy.json", import.meta.url)),
);
const NOW_MS = Date.UTC(2026, 2, 1, 12, 0);
const TAGS = new Map([
  ["work", ["office"]],
  ["lab", ["ai", "office"]],
  ["vault", []],
  ["agent1", ["agent"]],
  ["fedora-42", []],
]);
const FACTS: QubeFacts = {
  tagsOf: (qube) => qube === "unknown" ? null : new Set(TAGS.get(qube) ?? []),
  typeOf(qube) {
    if (qube === "unknown") return null;
    if (qube === "fedora-42") return "TemplateVM";
    return qube === "agent1" ? "StandaloneVM" : "AppVM";
  },
};

function question([vm, operation, ...targets]: readonly [string, string, ...string[]]): Question {
  const level = operation === "shell" ? "full" : OPERATIONS.get(operation)?.level;
  if (level === undefined) throw new Error(`no operation ${operation}`);
  const named = targets.map((target) =>
    target.startsWith("/") ? parseDom0Path(target) : parseVmName(target)
  );
  return { vm: parseVmName(vm), operation, level, targets: named.length === 0 ? [null] : named };
}

Deno.test("the policy vectors are all there", () => {
  assert(VECTORS.length >= 94, `only ${VECTORS.length}`);
  assertEquals(new Set(VECTORS.map(({ name }) => name)).size, VECTORS.length);
});

for (const { name, rules, ask, expect, options = {} } of VECTORS) {
  Deno.test(`policy: ${name}`, () => {
    const files = new Map([["p.policy", rules.join("\n")]]);
    if (ask === undefined) {
      const error = assertThrows(() => parsePolicy(files), PolicyError);
      assertEquals(`p:${error.line}:${error.column}`, expect, error.message);
      assert(error.message.startsWith(`p.policy:${error.line}:${error.column}: expected `));
      assert(/^[\x20-\x7e]*$/.test(error.message), error.message);
      return;
    }
    const decision = decide(parsePolicy(files), question(ask), FACTS, NOW_MS);
    const because = decision.because.replace("p.policy", "p");
    assertEquals(`${decision.action} ${because}`, expect);
    assertEquals(decision.options, options);
  });
}

Deno.test("files are read in order of their names, and only .policy by themselves", () => {
  const files = new Map([
    ["50-b.policy", "* work * ask"],
    ["30-a.policy", "* lab * deny"],
    ["shared-rules", "* work * allow"],
    ["100-c.policy", "!include shared-rules"], // "1" sorts before "3"
  ]);
  const rules = parsePolicy(files);
  assertEquals(rules.map(({ where }) => where), [
    "shared-rules:1",
    "30-a.policy:1",
    "50-b.policy:1",
  ]);
});

Deno.test("an include that comes back to itself is named, not followed", () => {
  const files = new Map([["a.policy", "!include b"], ["b", "!include a.policy"]]);
  assertEquals(
    assertThrows(() => parsePolicy(files), PolicyError).message,
    'b:1:10: expected a file that does not include this one, found "a.policy"',
  );
});

Deno.test("no match and any failure are deny: every small policy, every question", () => {
  const OPS = ["*", "@monitor", "@full", "vm.*", "vm.list", "shell"];
  const SOURCES = ["work", "@anyvm", "@tag:agent", "@type:AppVM"];
  const TARGETS = ["*", "-", "lab", "@tag:ai"];
  const lines = OPS.flatMap((op) =>
    SOURCES.flatMap((source) =>
      TARGETS.flatMap((target) =>
        ["allow", "deny"].map((act) => `${op} ${source} ${target} ${act}`)
      )
    )
  );
  const questions = ["work", "agent1", "unknown"].flatMap((vm) => [
    question([vm, "vm.list"]),
    question([vm, "shell"]),
    question([vm, "vm.start", "lab"]),
    question([vm, "vm.start", "unknown"]),
    question([vm, "vm.start", "lab", "vault"]),
  ]);
  let allowed = 0;
  let looked = 0;
  for (const first of lines) {
    for (const second of lines) {
      const rules = parsePolicy(new Map([["p.policy", `${first}\n${second}`]]));
      for (const asked of questions) {
        looked++;
        const { action } = decide(rules, asked, FACTS, NOW_MS);
        if (action !== "allow") continue;
        allowed++;
        // Said again in other words: for each target some line allows it, and no line before that
        // one denies it or asks what is not known.
        for (const target of asked.targets) {
          const index = rules.findIndex((rule) => {
            const op = rule.operation;
            const isOp = op.kind === "any" || (op.kind === "level" && op.level === asked.level) ||
              (op.kind === "one" && op.name === asked.operation) ||
              (op.kind === "family" && asked.operation.startsWith("vm."));
            const from = rule.source;
            const isFrom = from.kind === "any" || (from.kind === "one" && from.name === asked.vm) ||
              asked.vm === "unknown" && (from.kind === "tag" || from.kind === "type") ||
              (from.kind === "tag" && asked.vm === "agent1") ||
              (from.kind === "type" && asked.vm === "work");
            const to = rule.target;
            const isTo = to.kind === "any" || (to.kind === "none" && target === null) ||
              (to.kind === "one" && target === "lab") ||
              (to.kind === "tag" && (target === "lab" || target === "unknown"));
            return isOp && isFrom && isTo;
          });
          const rule = rules[index];
          assertEquals(rule?.action, "allow", `${first} / ${second}: ${JSON.stringify(asked)}`);
          const rests = [rule?.source.kind, rule?.target.kind];
          const onUnknown = asked.vm === "unknown" && (rests[0] === "tag" || rests[0] === "type") ||
            target === "unknown" && rests[1] === "tag";
          assert(!onUnknown, `${first} / ${second}: rests on what is not known`);
        }
      }
    }
  }
  assert(allowed > looked / 50 && allowed < looked / 2, `${allowed} of ${looked}`);
});

Deno.test("explain: each rule that was looked at, and why it did not count", () => {
  const rules = parsePolicy(
    new Map([[
      "p.policy",
      [
        "vm.list work * allow",
        "vm.start lab * allow",
        "vm.start work @tag:ai allow expires=2026-02-01",
        "vm.start work vault allow",
        "vm.start work @tag:ai ask",
        "* work * allow",
      ].join("\n"),
    ]]),
  );
  const seen: string[] = [];
  decide(
    rules,
    question(["work", "vm.start", "lab"]),
    FACTS,
    NOW_MS,
    (target, { rule, passedOver }) => {
      seen.push(`${target} ${rule.where}: ${passedOver ?? "decided"}`);
    },
  );
  assertEquals(seen, [
    "lab p.policy:1: another operation",
    "lab p.policy:2: another source",
    "lab p.policy:3: it has expired",
    "lab p.policy:4: another target",
    "lab p.policy:5: decided",
  ]);
});

Deno.test("check: what is never reached, what is void, what is not there", () => {
  const rules = parsePolicy(
    new Map([[
      "p.policy",
      [
        "@monitor @anyvm * allow",
        "vm.list work * ask",
        "vm.start work @tag:ai allow",
        "vm.start work @tag:ai deny",
        "vm.start work @tag:typo allow",
        "vm.* gone * deny",
        "* lab * allow expires=2030-01-01",
        "* lab * deny",
        "file.fetch lab /srv/* allow",
      ].join("\n"),
    ]]),
  );
  const inventory = { qubes: new Set(["work", "lab"]), tags: new Set(["ai"]) };
  assertEquals(checkPolicy(rules, inventory).map(({ where, text }) => `${where}: ${text}`), [
    "p.policy:2: this rule is never reached: p.policy:1 decides first",
    "p.policy:4: this deny has no effect: p.policy:3 says allow to all of it first",
    "p.policy:5: no qube has the tag typo",
    "p.policy:6: there is no qube gone",
    "p.policy:9: this rule is never reached: p.policy:8 decides first",
    "p.policy:9: this rule has no effect: only dom0's operator may do that",
  ]);
  assertEquals(checkPolicy(rules, null).length, 4);
});

Deno.test("a VM cannot change the tags that rules rest on", () => {
  const rules = parsePolicy(
    new Map([["p.policy", "* @tag:agent @tag:ai allow\nvm.create work * allow create=@tag:own"]]),
  );
  assertEquals([...scopeTags(rules)].sort(), ["agent", "ai", "own"]);
});

Deno.test("each level has operations, and each operation a level that rules can name", () => {
  for (const level of LEVELS) {
    assert([...OPERATIONS.values()].some((operation) => operation.level === level), level);
  }
});

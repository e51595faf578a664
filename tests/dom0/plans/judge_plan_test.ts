// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals, assertThrows } from "@std/assert";
import { judgePlan } from "../../../dom0/plans/judge_plan.ts";
import { parsePlan, PlanError } from "../../../dom0/plans/plan.ts";
import { parsePolicy } from "../../../dom0/policy/parse_policy.ts";
import type { KnownQubes } from "../../../dom0/policy/qube_facts.ts";
import { parseVmName } from "../../../shared/protocol/vm_name.ts";

const AGENT = parseVmName("agent");

/** ai-1 has the tag ai; vault has none. */
function knownQubes(): KnownQubes {
  const tagged = new Map([["ai", new Set(["ai-1"])]]);
  const types = new Map([["agent", "AppVM"], ["ai-1", "AppVM"], ["vault", "AppVM"], [
    "fedora",
    "TemplateVM",
  ]]);
  return {
    inventory: { types, tagged },
    tagsOf: (qube) => new Set(tagged.get("ai")?.has(qube) ? ["ai"] : []),
    typeOf: (qube) => types.get(qube) ?? "",
  };
}

function judged(
  policy: string,
  ...steps: readonly unknown[]
): readonly [string, string, ...string[]] {
  const rules = parsePolicy(new Map([["50.policy", policy]]));
  const plan = parsePlan(JSON.stringify({ steps }));
  const { decision, steps: each } = judgePlan(AGENT, plan, {
    rules,
    known: knownQubes(),
    nowMs: 0,
  });
  return [decision.action, decision.because, ...each.map((step) => step.decision.action)];
}

const SCOPED = `vm.create agent * allow create=@tag:ai
@monitor agent @tag:ai allow
vm.start agent @tag:ai allow
vm.shutdown agent @tag:ai ask timeout=60
vm.prefs.set agent @tag:ai allow
vm.clone agent @tag:ai allow
`;
const start = (vm: string): unknown => ({ operation: "vm.start", vm });
const LIST = { operation: "vm.list", name: "all" };

Deno.test("a plan is allowed if each step is, asks if one asks, and is denied if one is denied", () => {
  assertEquals(judged(SCOPED, LIST, start("ai-1")), [
    "allow",
    "step 1: 50.policy:2",
    "allow",
    "allow",
  ]);
  const stop = { operation: "vm.shutdown", vm: "ai-1" };
  assertEquals(judged(SCOPED, start("ai-1"), stop), ["ask", "step 2: 50.policy:4", "allow", "ask"]);
  assertEquals(judged(SCOPED, stop, start("vault")), ["deny", "step 2: no rule", "ask", "deny"]);
  assertEquals(judged("", LIST), ["deny", "step 1: no rule", "deny"]);
});

Deno.test("what an earlier step makes is in the scope that dom0 will give it", () => {
  const make = { operation: "vm.create", vm: "ai-7", label: "red" };
  assertEquals(judged(SCOPED, make, start("ai-7"))[0], "allow");
  assertEquals(judged(SCOPED, start("ai-7"), make)[0], "deny", "not before it is made");
  const taken = { operation: "vm.create", vm: "vault", label: "red" };
  assertEquals(judged(SCOPED, taken, start("vault"))[0], "deny", "a name that is taken");
  const untagged = SCOPED.replace(" create=@tag:ai", "");
  assertEquals(judged(untagged, make, start("ai-7"))[0], "deny");
});

Deno.test("a copy has the tags of what it is a copy of", () => {
  const copy = (vm: string): unknown => ({ operation: "vm.clone", vm, new_vm: "copy" });
  const policy = "vm.clone agent * allow\nvm.start agent @tag:ai allow\n";
  assertEquals(judged(policy, copy("ai-1"), start("copy"))[0], "allow");
  assertEquals(judged(policy, copy("vault"), start("copy"))[0], "deny");
});

Deno.test("a step whose target is not known yet is judged by the best target there is", () => {
  assertEquals(judged(SCOPED, LIST, start("${all.0.name}"))[0], "allow");
  const set = { operation: "vm.prefs.set", vm: "${all.0.name}", property: "memory", value: "1" };
  assertEquals(
    judged(
      SCOPED.replace("vm.prefs.set agent @tag:ai allow", "vm.prefs.set agent @tag:ai ask"),
      LIST,
      set,
    )[0],
    "ask",
  );
  assertEquals(judged(SCOPED, LIST, { operation: "vm.kill", vm: "${all.0.name}" }), [
    ...["deny", "step 2: no possible target", "allow", "deny"],
  ] as never);
});

Deno.test("nobody is asked to approve what destroys something and cannot be seen before it runs", () => {
  const stop = { operation: "vm.shutdown", vm: "${all.0.name}" };
  assertThrows(
    () => judged(SCOPED, LIST, stop),
    PlanError,
    "step 2: a person has to confirm vm.shutdown, and vm is known only when it runs: write it out, " +
      "or send the step as a request of its own",
  );
  const allowed = SCOPED.replace("ask timeout=60", "allow");
  assertEquals(judged(allowed, LIST, stop)[0], "allow", "what asks nobody is not about a person");
  const denied = SCOPED.replace("ask timeout=60", "deny");
  assertEquals(judged(denied, LIST, stop)[0], "deny");
});

Deno.test("no plan changes the tags on which a scope rests", () => {
  const policy = "* agent * allow\nvm.start x @tag:ai allow\n";
  const tag = { operation: "vm.tags.add", vm: "vault", tag: "ai" };
  assertEquals(judged(policy, LIST, tag)[0], "deny");
});

Deno.test("options of a whole: the narrowest memory and end, the time of all steps together", () => {
  const policy = `vm.start agent * allow timeout=10 memory=100M expires=2100-01-01
vm.kill agent * allow timeout=20 memory=50M
vm.pause agent * allow
`;
  const rules = parsePolicy(new Map([["50.policy", policy]]));
  const options = (...names: readonly string[]): unknown => {
    const steps = names.map((operation) => ({ operation, vm: "ai-1" }));
    const plan = parsePlan(JSON.stringify({ steps }));
    return judgePlan(AGENT, plan, { rules, known: knownQubes(), nowMs: 0 }).decision.options;
  };
  assertEquals(options("vm.start", "vm.kill"), {
    ...{ timeoutSeconds: 30, memoryBytes: 50 * 2 ** 20, expiresMs: Date.UTC(2100, 0, 2) - 1 },
  });
  assertEquals(options("vm.pause", "vm.kill"), { memoryBytes: 50 * 2 ** 20 });
});

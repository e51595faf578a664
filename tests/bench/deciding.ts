// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What a decision of the policy costs at 1,000 rules and 50 VMs: all that happens from the words of a
 * request to the rule that decides and the qubes that are hidden. It starts no process.
 *
 *     deno run -A --no-check tests/bench/deciding.ts
 *
 * @module
 */

import { createJudge } from "../../dom0/policy/judge.ts";
import { parsePolicy } from "../../dom0/policy/parse_policy.ts";
import { createQubeFacts } from "../../dom0/policy/qube_facts.ts";
import { parseVmName } from "../../shared/protocol/vm_name.ts";
import { type Add, startReport, summary } from "./measure.ts";

const VMS = 50;
const RULES = 1000;
const ROUNDS = 2000;
const GOAL_MS = 1;

const vmNames = Array.from({ length: VMS }, (_, n) => `qube-${n}`);
const tags = ["ai", "office", "net", "lab"];

/** Rules of each kind, of all VMs in turn; what is asked below is decided by the last ones. */
function policyText(): string {
  const kinds = ["vm.prefs.set", "vm.start", "@manage", "vm.tags.*", "vm.list"];
  const rules = Array.from({ length: RULES - 2 }, (_, n) => {
    const target = n % 3 === 0 ? `@tag:${tags[n % tags.length]}` : vmNames[(n * 7) % VMS];
    return `${kinds[n % kinds.length]} ${vmNames[(n + 1) % (VMS - 1) + 1]} ${target} allow`;
  });
  return [...rules, "@monitor qube-0 @tag:ai allow", "vm.start qube-0 @tag:ai ask"].join("\n");
}

const ASKED = [
  ["an operation on one qube", ["qvm-start", "qube-4"], "ask"],
  ["an operation that is denied", ["qvm-start", "qube-1"], "deny"],
  ["a list, and which qubes are hidden", ["qvm-ls", "--raw-list"], "allow"],
  ["a command that is no operation", ["some-program", "word"], "deny"],
] as const;

export async function benchDeciding(add: Add): Promise<void> {
  const rules = parsePolicy(new Map([["50.policy", policyText()]]));
  if (rules.length !== RULES) throw new Error(`${rules.length} rules`);
  const facts = createQubeFacts({
    stamp: () => "the same",
    read: (wanted) =>
      Promise.resolve({
        types: new Map([["dom0", "AdminVM"], ...vmNames.map((name) => [name, "AppVM"] as const)]),
        tagged: new Map(
          [...wanted].map((tag) => {
            const which = tags.indexOf(tag);
            return [tag, new Set(vmNames.filter((_, n) => n % tags.length === which))];
          }),
        ),
      }),
  });
  const judge = createJudge({ rules: () => rules, facts, dateMs: Date.now });
  const vm = parseVmName("qube-0");
  for (const [name, argv, expected] of ASKED) {
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const started = performance.now();
      const { decision } = await judge(vm, { mode: "argv", argv: [...argv] });
      times.push(performance.now() - started);
      if (decision.action !== expected) throw new Error(`${name}: ${decision.action}`);
    }
    const { p50, p99 } = summary(times);
    const what = `deciding, ${RULES} rules, ${VMS} VMs: ${name}`;
    add({ name: `${what}, p50`, value: p50, unit: "ms", goal: GOAL_MS });
    add({ name: `${what}, p99`, value: p99, unit: "ms", goal: GOAL_MS });
  }
}

if (import.meta.main) await benchDeciding(startReport().add);

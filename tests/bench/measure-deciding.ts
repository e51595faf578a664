// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What a decision of the policy costs at 1,000 rules and 50 VMs: all that happens from the words of a
 * request to the rule that decides and the qubes that are hidden. It starts no process. Prints figures
 * as JSON, for daemon_parts.ts, which starts it as the daemon is started.
 *
 * @module
 */

import { OPERATIONS } from "../../dom0/operations/table.ts";
import { createJudge } from "../../dom0/policy/judge.ts";
import { parsePolicy } from "../../dom0/policy/parse_policy.ts";
import { createQubeFacts } from "../../dom0/policy/qube_facts.ts";
import { qvmLsFacts } from "../../dom0/policy/qvm_ls.ts";
import type { Rule } from "../../dom0/policy/rule.ts";
import { parseVmName } from "../../shared/protocol/vm_name.ts";
import { type Add, type Figure, interleaved, summary } from "./measure.ts";

const VMS = 50;
const RULES = 1000;
const ROUNDS = 2000;
const GOAL_MS = 1;

const vmNames = Array.from({ length: VMS }, (_, n) => `qube-${n}`);
const tags = ["ai", "office", "net", "lab"];
const LAST_RULES = ["@monitor qube-0 @tag:ai allow", "vm.start qube-0 @tag:ai ask"];

/** What is asked below is decided by the last rules. */
function policyOf(ruleAt: (n: number) => string): readonly Rule[] {
  const lines = [...Array.from({ length: RULES - LAST_RULES.length }, (_, n) => ruleAt(n))];
  const rules = parsePolicy(new Map([["50.policy", [...lines, ...LAST_RULES].join("\n")]]));
  if (rules.length !== RULES) throw new Error(`${rules.length} rules`);
  return rules;
}

/** Rules of each kind, of all VMs in turn. */
function rulesOfAll(): readonly Rule[] {
  const kinds = ["vm.prefs.set", "vm.start", "@manage", "vm.tags.*", "vm.list"];
  return policyOf((n) => {
    const target = n % 3 === 0 ? `@tag:${tags[n % tags.length]}` : vmNames[(n * 7) % VMS];
    return `${kinds[n % kinds.length]} ${vmNames[(n + 1) % (VMS - 1) + 1]} ${target} allow`;
  });
}

/** Each about the VM that asks: of each qube by its name, one operation after the other. */
function rulesOfOne(): readonly Rule[] {
  const names = [...OPERATIONS.keys()].slice(0, RULES / VMS);
  return policyOf((n) =>
    `${names[Math.floor(n / VMS)]} qube-0 ${vmNames[VMS - 1 - n % VMS]} ${
      n % VMS === 45 ? "ask" : "deny"
    }`
  );
}

const ASKED = [
  ["an operation on one qube", ["qvm-start", "qube-4"], "ask"],
  ["an operation that is denied", ["qvm-start", "qube-1"], "deny"],
  ["a list, and which qubes are hidden", ["qvm-ls", "--raw-list"], "allow"],
  ["a command that is no operation", ["some-program", "word"], "deny"],
] as const;
const [ON_ONE_QUBE] = ASKED;

async function measure(add: Add): Promise<void> {
  const store = await Deno.makeTempFile();
  try {
    const { stamp } = qvmLsFacts(store);
    const ofAll = rulesOfAll();
    for (const asked of ASKED) await measureOne(asked[0], asked, () => ofAll, stamp, add);
    const changed = Array.from({ length: ROUNDS }, () => [...ofAll]);
    const first = "the first one after a change of the policy";
    await measureOne(first, ON_ONE_QUBE, (round) => changed[round] ?? ofAll, stamp, add);
    await measureHidden(ofAll, stamp, add);
    const ofOne = rulesOfOne();
    await measureOne("all rules about this VM", ON_ONE_QUBE, () => ofOne, stamp, add);
  } finally {
    await Deno.remove(store);
  }
}

async function measureOne(
  name: string,
  [, argv, expected]: typeof ASKED[number],
  rulesAt: (round: number) => readonly Rule[],
  stamp: () => string | null,
  add: Add,
): Promise<void> {
  const facts = createQubeFacts({ stamp, read: (wanted) => Promise.resolve(inventoryOf(wanted)) });
  let round = 0;
  const judge = createJudge({ rules: () => rulesAt(round), facts, dateMs: Date.now });
  const vm = parseVmName("qube-0");
  const times: number[] = [];
  for (; round < ROUNDS; round++) {
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

/** How much longer a qube outside takes than one that there is not, asked in turns. */
async function measureHidden(
  rules: readonly Rule[],
  stamp: () => string | null,
  add: Add,
): Promise<void> {
  const facts = createQubeFacts({ stamp, read: (wanted) => Promise.resolve(inventoryOf(wanted)) });
  const judge = createJudge({ rules: () => rules, facts, dateMs: Date.now });
  const vm = parseVmName("qube-0");
  const ask = (target: string) => async (): Promise<void> => {
    const { decision } = await judge(vm, { mode: "argv", argv: ["qvm-start", target] });
    if (decision.action !== "deny") throw new Error(`${target}: ${decision.action}`);
  };
  const { hidden, absent } = await interleaved(ROUNDS, {
    hidden: ask("qube-1"),
    absent: ask("no-such"),
  });
  add({
    name: "deciding: a qube outside takes longer than one that there is not by, p50",
    value: Math.abs(hidden.p50 - absent.p50),
    unit: "ms",
    goal: 0.01,
  });
}

function inventoryOf(wanted: ReadonlySet<string>) {
  const tagged = [...wanted].map((tag) => {
    const which = tags.indexOf(tag);
    return [tag, new Set(vmNames.filter((_, n) => n % tags.length === which))] as const;
  });
  const types = vmNames.map((name) => [name, "AppVM"] as const);
  return { types: new Map([["dom0", "AdminVM"], ...types]), tagged: new Map(tagged) };
}

if (import.meta.main) {
  const figures: Figure[] = [];
  await measure((figure) => void figures.push(figure));
  console.log(JSON.stringify(figures));
}

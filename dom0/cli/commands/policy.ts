// SPDX-License-Identifier: GPL-2.0-or-later
/** policy check, policy list, policy explain, ops: who may do what, and what there is to do. @module */

import { unknownCommand } from "../../../shared/cli/did_you_mean.ts";
import { dateMs } from "../../../shared/io/clock.ts";
import { expectWords, parseWords } from "../../../shared/cli/options.ts";
import { errorText, UsageError } from "../../../shared/cli/program.ts";
import type { VmName } from "../../../shared/protocol/vm_name.ts";
import { recogniseScript, recogniseWords } from "../../operations/recognise.ts";
import { describeOperation, OPERATIONS, SHELL } from "../../operations/table.ts";
import { checkPolicy } from "../../policy/check_policy.ts";
import { decideOperation } from "../../policy/decide_operation.ts";
import { scopeTags } from "../../policy/decide.ts";
import { parsePolicy } from "../../policy/parse_policy.ts";
import { readPolicyFolder } from "../../policy/policy_folder.ts";
import { createQubeFacts, type KnownQubes } from "../../policy/qube_facts.ts";
import { qvmLsFacts } from "../../policy/qvm_ls.ts";
import type { Rule } from "../../policy/rule.ts";
import { type Operator } from "../operator.ts";
import { vmFromWord } from "../../operator/vm_word.ts";

const ACTIONS: ReadonlyMap<
  string,
  (operator: Operator, words: readonly string[]) => Promise<number>
> = new Map([["check", check], ["list", list], ["explain", explain]]);

export async function policy(operator: Operator, words: readonly string[]): Promise<number> {
  const [action, ...rest] = words;
  const run = ACTIONS.get(action ?? "");
  if (run !== undefined) return await run(operator, rest);
  if (action === undefined) throw new UsageError("policy requires: check | list | explain");
  throw unknownCommand(
    "policy command",
    action,
    [...ACTIONS.keys()],
    '"policy check|list|explain"',
  );
}

async function readRules({ paths }: Operator): Promise<readonly Rule[]> {
  return parsePolicy(await readPolicyFolder(paths.policyFolder, Deno.uid()));
}

async function learnQubes({ paths }: Operator, rules: readonly Rule[]): Promise<KnownQubes> {
  return await createQubeFacts(qvmLsFacts(paths.qubesStore))(scopeTags(rules));
}

async function check(operator: Operator, words: readonly string[]): Promise<number> {
  const options = parseWords(words, { json: "flag" }, {}, "anywhere");
  expectWords(options.rest, 0, 0, "qvm-remote-dom0 policy check [--json]");
  let rules: readonly Rule[];
  try {
    rules = await readRules(operator);
  } catch (error) {
    const text = errorText(error);
    if (options.has("json")) operator.print(JSON.stringify({ ok: false, error: text }) + "\n");
    else operator.print(`error: ${text}\n`);
    return 1;
  }
  const { inventory } = await learnQubes(operator, rules);
  const known = inventory === null ? null : {
    qubes: new Set(inventory.types.keys()),
    tags: new Set([...inventory.tagged].filter(([, who]) => who.size > 0).map(([tag]) => tag)),
  };
  const warnings = checkPolicy(rules, known);
  if (options.has("json")) {
    operator.print(JSON.stringify({ ok: true, rules: rules.length, warnings }) + "\n");
    return 0;
  }
  for (const { where, text } of warnings) operator.print(`warning: ${where}: ${text}\n`);
  if (known === null) {
    operator.warn("The qubes cannot be listed, so names and tags were not checked.\n");
  }
  operator.print(`Policy is good; rules: ${rules.length}, warnings: ${warnings.length}.\n`);
  return 0;
}

async function list(operator: Operator, words: readonly string[]): Promise<number> {
  const options = parseWords(words, { json: "flag" }, {}, "anywhere");
  expectWords(options.rest, 0, 0, "qvm-remote-dom0 policy list [--json]");
  const rules = await readRules(operator);
  if (options.has("json")) {
    operator.print(JSON.stringify(rules.map(({ where, text }) => ({ where, text }))) + "\n");
    return 0;
  }
  const width = Math.max(0, ...rules.map(({ where }) => where.length));
  for (const { where, text } of rules) operator.print(`${where.padEnd(width)}  ${text}\n`);
  operator.print(`${"(the end)".padEnd(width)}  * @anyvm * deny\n`);
  return 0;
}

/** Which rule decides about a command line of a VM, and why those before it do not match. */
async function explain(operator: Operator, words: readonly string[]): Promise<number> {
  const [vmWord, ...rest] = words;
  const command = rest[0] === "--" ? rest.slice(1) : rest;
  const [first] = command;
  if (vmWord === undefined || first === undefined) {
    throw new UsageError("policy explain requires: VM -- WORDS");
  }
  const vm: VmName = vmFromWord(vmWord);
  const recognised = command.length === 1 ? recogniseScript(first) : recogniseWords(command);
  const rules = await readRules(operator);
  const known = await learnQubes(operator, rules);
  operator.print(
    `operation: ${recognised?.operation.name ?? `${SHELL} (no operation of the table)`}\n`,
  );
  const state = { rules, known, nowMs: dateMs() };
  const { decision } = decideOperation(vm, recognised, state, (target, { rule, passedOver }) => {
    operator.print(
      `${target ?? "dom0"}: ${rule.where}: ${rule.text}: ${passedOver ?? "DECIDES"}\n`,
    );
  });
  operator.print(`decision: ${decision.action} (${decision.because})\n`);
  return 0;
}

export function ops(operator: Operator, words: readonly string[]): Promise<number> {
  const options = parseWords(words, { json: "flag" }, {}, "anywhere");
  expectWords(options.rest, 0, 0, "qvm-remote-dom0 ops [--json]");
  if (options.has("json")) {
    operator.print(JSON.stringify([...OPERATIONS.values()].map(describeOperation)) + "\n");
    return Promise.resolve(0);
  }
  for (const { name, level, summary, steps, isForOperator } of OPERATIONS.values()) {
    const note = isForOperator ? " (not for VMs)" : "";
    operator.print(`${name.padEnd(22)}${level.padEnd(9)}${summary}${note}\n`);
    for (const { usage } of steps) operator.print(`${"".padEnd(31)}${usage}\n`);
  }
  return Promise.resolve(0);
}

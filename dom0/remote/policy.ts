// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Who may do what: the one function that is given an authenticated request and decides.
 *
 * Files read like qrexec's: /etc/qubes/remote-policy.d/*.policy, in order of their names, one
 * rule a line, the first match wins, no match is deny.
 *
 *     # operation  source    target  action
 *     *            work      *       allow
 *     shell        @anyvm    -       deny
 *
 * Every request is the operation "shell" today, and its target is dom0 itself ("-").
 *
 * @module
 */

import type { AuthenticRequest } from "../../shared/protocol/envelope.ts";
import { printable } from "../../shared/protocol/printable.ts";
import { ProtocolError } from "../../shared/protocol/refusal.ts";
import { parseVmName, type VmName } from "../../shared/protocol/vm_name.ts";

export type Action = "allow" | "ask" | "deny";

export interface Decision {
  readonly action: Action;
  /** Which rule decided, for the audit: "30-work.policy:2", or "no rule". */
  readonly because: string;
}

export interface Rule {
  readonly operation: "*" | "shell";
  readonly source: VmName | "@anyvm";
  readonly target: "*" | "-";
  readonly action: Action;
  readonly where: string;
}

/** A line that is not a rule. Nothing is allowed while there is one. */
export class PolicyError extends Error {
  override readonly name = "PolicyError";
}

/** The seam: everything that decides about a request is behind this call. */
export function decide(rules: readonly Rule[], request: AuthenticRequest): Decision {
  const rule = rules.find((rule) => isFor(rule, request.vm));
  if (rule === undefined) return { action: "deny", because: "no rule" };
  return { action: rule.action, because: rule.where };
}

/** Whether anything is said of the VM: without a rule all is denied. */
export function hasRule(rules: readonly Rule[], vm: VmName): boolean {
  return rules.some((rule) => isFor(rule, vm));
}

function isFor({ source }: Rule, vm: VmName): boolean {
  return source === "@anyvm" || source === vm;
}

const ACTIONS: ReadonlySet<string> = new Set(["allow", "ask", "deny"]);

/** @throws {PolicyError} naming file and line */
export function parsePolicy(fileName: string, text: string): readonly Rule[] {
  const rules: Rule[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const words = line.replace(/#.*/s, "").trim().split(/\s+/);
    if (words[0] === "") continue;
    const where = `${fileName}:${index + 1}`;
    const [operation = "", source = "", target = "", action = "", ...more] = words;
    const fail = (what: string): never => {
      throw new PolicyError(`${where}: ${what}: ${printable(line.trim())}`);
    };
    if (action === "" || more.length > 0) fail("want four words");
    if (operation !== "*" && operation !== "shell") return fail('operation is "*" or "shell"');
    if (target !== "*" && target !== "-") return fail('target is "*" or "-"');
    if (!isAction(action)) return fail("action is allow, ask or deny");
    rules.push({ operation, source: parseSource(source, fail), target, action, where });
  }
  return rules;
}

function parseSource(word: string, fail: (what: string) => never): Rule["source"] {
  if (word === "@anyvm") return word;
  try {
    return parseVmName(word);
  } catch (error) {
    if (error instanceof ProtocolError) return fail("source is the name of a VM or @anyvm");
    throw error;
  }
}

function isAction(word: string): word is Action {
  return ACTIONS.has(word);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The file of rules that "authorize --grant" writes for a VM, as a person would write it, and may edit
 * it afterwards.
 *
 * @module
 */

import { KINDS, ParameterError } from "../operations/parameter.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";

export const GRANTS = ["monitor", "ask", "manage", "full"] as const;
/**
 *     monitor   reads; everything else is denied
 *     ask       reads; everything else is asked: what "authorize" gives if nothing is said
 *     manage    reads and changes; a command line of its own is asked
 *     full      anything, as root, without a question
 */
export type GrantLevel = (typeof GRANTS)[number];

/** What each grant means, in the words of the moment in which it is given. */
export const GRANT_TEXT: Readonly<Record<GrantLevel, string>> = {
  monitor: "reads what there is: qubes, settings, devices, updates; everything else is denied",
  ask: "reads; everything else waits for an answer in dom0",
  manage: "reads and changes, creates and removes qubes; other commands are asked",
  full: "runs any command in dom0, as root: whoever controls that VM then controls dom0, " +
    "and with it every other VM",
};

/** Which qubes the grant is about: all, or those with a tag, which never include dom0. */
export type Scope = { readonly tag: string } | null;

export function parseGrant(word: string): GrantLevel | null {
  return GRANTS.find((known) => known === word) ?? null;
}

/** "@tag:ai". @throws {ParameterError} */
export function parseScope(untrustedWord: string): Scope {
  if (!untrustedWord.startsWith("@tag:")) {
    throw new ParameterError('a scope is "@tag:NAME"');
  }
  return { tag: String(KINDS.tag.parse(untrustedWord.slice("@tag:".length))) };
}

export function grantFileName(vm: VmName): string {
  return `50-${vm}.policy`;
}

/** The whole text of the file. */
export function grantText(vm: VmName, grant: GrantLevel, scope: Scope): string {
  const target = scope === null ? "*" : `@tag:${scope.tag}`;
  const rules = RULES[grant].filter(([operation]) => scope === null || operation !== "shell");
  const rows = [
    ["# operation", "source", "target", "action"],
    ...rules.map(([operation, action]) => [operation, vm, target, action]),
  ];
  const widths = [0, 1, 2].map((column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0))
  );
  const lines = rows.map((row) =>
    row.map((word, column) => word.padEnd((widths[column] ?? -2) + 2)).join("").trimEnd()
  );
  const of = scope === null ? "" : ` --scope ${target}`;
  return [
    `# Written by: qvm-remote-dom0 authorize ${vm} --grant ${grant}${of}`,
    "# The first rule that matches counts; what none matches is denied. See qvm-remote-dom0(8).",
    ...lines,
    "",
  ].join("\n");
}

const RULES: Readonly<
  Record<GrantLevel, readonly (readonly [operation: string, action: string])[]>
> = {
  monitor: [["@monitor", "allow"]],
  ask: [["@monitor", "allow"], ["*", "ask"]],
  manage: [["@monitor", "allow"], ["@manage", "allow"], ["*", "ask"]],
  full: [["*", "allow"]],
};

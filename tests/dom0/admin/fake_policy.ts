// SPDX-License-Identifier: GPL-2.0-or-later
/** The policy of the dom0 in memory: files that are changed, and changes that are taken back. @module */

import { Dom0Error, type Dom0Now } from "../../../dom0/admin/channel/dom0_channel.ts";
import type {
  PolicyChangeNow,
  PolicyChannel,
  PolicyTrial,
} from "../../../dom0/admin/channel/policy_channel.ts";
import { markOf, withText } from "../../../dom0/operator/policy_files.ts";
import { UserError } from "../../../shared/cli/program.ts";

interface PolicyParts {
  readonly now: Dom0Now;
  readonly files: Map<string, string>;
  policyChanges: PolicyChangeNow[];
}

type Did = (what: string, by: string) => void;

export function fakePolicy(dom0: PolicyParts, did: Did, nowMs: number): PolicyChannel {
  const change = (file: string, text: string | null, by: string): string => {
    const before = dom0.files.get(file) ?? null;
    const id = `20261128-143140-1-0000000${dom0.policyChanges.length + 1}`;
    if (text === null) dom0.files.delete(file);
    else dom0.files.set(file, text);
    const told = { id, timeMs: nowMs, by, file, before, after: text, isUndone: false, now: text };
    dom0.policyChanges = [
      told,
      ...dom0.policyChanges.map((one) => one.file === file ? { ...one, now: text } : one),
    ];
    did(text === null ? `remove ${file}` : `save ${file}`, by);
    return id;
  };
  return {
    policy: () =>
      Promise.resolve({
        ...{ error: null, warnings: [], folder: "/etc/qubes/remote-policy.d" },
        files: [...dom0.files].map(([name, text]) => ({ name, text, mark: markOf(text) })),
        rules: [...dom0.files].flatMap(([name, text]) =>
          text.trim().split("\n").map((line, index) => ({
            where: `${name}:${index + 1}`,
            text: line,
          }))
        ),
        who: (dom0.now.daemon?.vms ?? []).map(({ vm, fingerprint }) => ({
          ...{ vm, fingerprint },
          answers: {
            monitor: [{ action: "allow", where: "30-research.policy:1", target: "@tag:ai" }],
            manage: [{ action: "ask", where: "30-research.policy:2", target: "@tag:ai" }],
            ...{ full: [], shell: [] },
          },
        })),
      }),
    checkPolicy: (file, text) => Promise.resolve(trialOf(dom0, file, text)),
    async changePolicy({ file, text, seen }, by) {
      const now = dom0.files.get(file);
      if ((now === undefined ? null : markOf(now)) !== seen) {
        throw new Dom0Error(`${file} was changed meanwhile`);
      }
      await Promise.resolve(change(file, text, by));
    },
    policyChanges: () => Promise.resolve(dom0.policyChanges),
    async undoPolicy(id, by) {
      const done = dom0.policyChanges.find((one) => one.id === id);
      if (done === undefined) throw new Dom0Error("it is no longer kept");
      const undoing = change(done.file, done.before, by);
      dom0.policyChanges = dom0.policyChanges.map((one) =>
        one.id === id ? { ...one, isUndone: true } : one
      );
      return await Promise.resolve({ id: undoing });
    },
    explain: (vm, words, draft) =>
      Promise.resolve({
        ...{ operation: "vm.kill", action: "ask", because: "30-research.policy:2" },
        steps: [
          {
            target: "ai-build-1",
            where: draft?.file ?? "30-research.policy:1",
            text: words.join(" "),
            passedOver: `not for ${vm}`,
          },
          {
            target: "ai-build-1",
            where: "30-research.policy:2",
            text: "@manage research @tag:ai ask",
            passedOver: null,
          },
        ],
      }),
  };
}

function trialOf({ files }: PolicyParts, file: string, text: string | null): PolicyTrial {
  try {
    withText(files, { file, text });
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { error: error.message, warnings: [], effects: [] };
  }
  const isBad = /\balow\b/.test(text ?? "");
  const was = [{ action: "ask", where: "30-research.policy:2", target: "@tag:ai" }];
  return {
    error: isBad ? "line 1: expected allow, ask or deny; found alow" : null,
    warnings: [],
    effects: isBad ? [] : [{ vm: "research", column: "manage", before: was, after: [] }],
  };
}

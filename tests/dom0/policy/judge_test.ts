// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals } from "@std/assert";
import { createJudge } from "../../../dom0/policy/judge.ts";
import { parsePolicy } from "../../../dom0/policy/parse_policy.ts";
import type { KnownQubes } from "../../../dom0/policy/qube_facts.ts";
import { utf8 } from "../../../shared/protocol/bytes.ts";
import type { ProcessCommand } from "../../../shared/protocol/command.ts";
import { parseVmName } from "../../../shared/protocol/vm_name.ts";

const WORK = parseVmName("work");
const TYPES = new Map([["dom0", "AdminVM"], ["work", "AppVM"], ["lab", "AppVM"]]);
const KNOWN: KnownQubes = {
  inventory: { types: TYPES, tagged: new Map([["ai", new Set(["lab"])]]) },
  tagsOf: (qube) => new Set(qube === "lab" ? ["ai"] : []),
  typeOf: () => "AppVM",
};

/** "action operation", and the tags that were asked for; "-" if nothing was. */
async function judged(rules: string | null, command: ProcessCommand): Promise<string> {
  let asked = "-";
  const judge = createJudge({
    rules: () => rules === null ? null : parsePolicy(new Map([["p.policy", rules]])),
    facts(tags) {
      asked = `[${[...tags]}]`;
      return Promise.resolve(KNOWN);
    },
    dateMs: () => 0,
  });
  const { decision, recognised, view } = await judge(WORK, command);
  const what = recognised?.operation.name ?? "shell";
  return `${decision.action} ${what} ${asked}${view === null ? "" : " filtered"}`;
}

const words = (...argv: [string, ...string[]]): ProcessCommand => ({ mode: "argv", argv });
const script = (text: string): ProcessCommand => ({ mode: "script", script: utf8(text) });
const START = words("qvm-start", "lab");

const JUDGED: readonly (readonly [rules: string | null, ProcessCommand, string])[] = [
  ["* work * allow", START, "allow vm.start -"],
  ["* work * allow", script("qvm-start lab\n"), "allow vm.start -"],
  ["* work * allow", script("qvm-start lab; id"), "allow shell -"],
  ["* work * allow", words("qvm-ls", "--raw-list"), "allow vm.names -"],
  ["* @anyvm * allow", words("id"), "allow shell -"],
  ["@monitor work * allow\n* work * ask", START, "ask vm.start -"],
  ["shell work - allow", words("id"), "allow shell -"],
  ["* lab * allow\n* work @tag:ai deny\n* work * allow", words("id"), "allow shell -"],
  ["* work @tag:ai allow", START, "allow vm.start [ai] filtered"],
  ["* work @tag:ai allow", words("qvm-start", "work"), "deny vm.start [ai]"],
  ["* work @tag:ai allow", words("qvm-ls", "--raw-list"), "allow vm.names [ai] filtered"],
  ["* work lab allow", START, "allow vm.start [] filtered"],
  ["* @tag:ai * allow\n* work * ask", START, "ask vm.start [ai]"],
  ["vm.list @tag:ai * allow\n* work * ask", START, "ask vm.start -"],
  ["* work * allow expires=1969-01-01\n* work - allow", words("id"), "allow shell -"],
  ["", START, "deny vm.start -"],
  [null, START, "deny vm.start -"],
  [
    "* work * allow",
    { mode: "script", script: new Uint8Array([0x69, 0x64, 0xff]) },
    "allow shell -",
  ],
];

for (const [rules, command, expected] of JUDGED) {
  const asked = command.mode === "argv"
    ? command.argv.join(" ")
    : new TextDecoder().decode(command.script);
  Deno.test(`judge: ${JSON.stringify(rules)} makes of ${JSON.stringify(asked)}: ${expected}`, async () => {
    assertEquals(await judged(rules, command), expected);
  });
}

// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals } from "@std/assert";
import { type Preview, previewOfRequest } from "../../../dom0/approval/preview.ts";
import type { JsonValue } from "../../../dom0/operations/operation.ts";
import { judgePlan } from "../../../dom0/plans/judge_plan.ts";
import { parsePlan } from "../../../dom0/plans/plan.ts";
import { parsePolicy } from "../../../dom0/policy/parse_policy.ts";
import { ReadError, type ReadOperation } from "../../../dom0/run/read_operation.ts";
import { parseVmName } from "../../../shared/protocol/vm_name.ts";

const AGENT = parseVmName("agent");
const RULES = parsePolicy(new Map([["p.policy", "* agent * allow"]]));
const INVENTORY = { types: new Map([["work", "AppVM"]]), tagged: new Map() };
const KNOWN = { inventory: INVENTORY, tagsOf: () => new Set<string>(), typeOf: () => "AppVM" };

const property = (value: string, isDefault = false): JsonValue => ({ value, isDefault });
const RULE = { action: "accept", dsthost: "a.example" };

/** The qube "work" as it is now; there is no other. */
const THERE: Readonly<Record<string, JsonValue>> = {
  "vm.prefs.list": { memory: property("400"), netvm: property("sys-net", true) },
  "vm.prefs.get": "",
  "vm.tags.list": ["ai"],
  "vm.firewall.list": [RULE],
  "vm.info": [{ name: "work", state: "Running", memory: "400", disk: "2048" }],
  "vm.names": ["work"],
  "volume.info": ["1"],
  "system.prefs.list": { default_netvm: property("sys-net") },
};

const read: ReadOperation = (name, values) => {
  const there = THERE[name];
  const vm = values.get("vm") ?? "work";
  if (vm !== "work" || there === undefined) return Promise.reject(new ReadError("no such qube"));
  return Promise.resolve(there);
};

type StepText = Readonly<Record<string, string | number | boolean>>;

async function preview(...steps: StepText[]): Promise<Preview> {
  const plan = parsePlan(JSON.stringify({ steps }));
  const judged = judgePlan(AGENT, plan, { rules: RULES, known: KNOWN, nowMs: 0 });
  return await previewOfRequest({ recognised: null, plan: judged }, read);
}

const set = (property: string, value: string, vm = "work") =>
  ({ operation: "vm.prefs.set", vm, property, value }) as const;

Deno.test("a step is shown against what the steps before leave: a setting that is set twice", async () => {
  assertEquals(await preview(set("memory", "800"), set("memory", "900")), {
    rows: [
      {
        what: "step 1: memory of work",
        before: property("400"),
        after: property("800"),
      },
      {
        what: "step 2: memory of work, as step 1 leaves it",
        before: property("800"),
        after: property("900"),
      },
    ],
    unknown: [],
  });
});

Deno.test("a qube that a step makes, then starts: its state is known, its settings are not yet", async () => {
  const { rows, unknown } = await preview(
    { operation: "vm.create", vm: "ai-7", label: "red" },
    { operation: "vm.start", vm: "ai-7" },
    set("label", "blue", "ai-7"),
    set("memory", "800", "ai-7"),
    set("memory", "900", "ai-7"),
    { operation: "vm.clone", vm: "ai-7", new_vm: "ai-8" },
    { operation: "vm.create", vm: "ai-8", label: "red" },
  );
  assertEquals(rows.map(({ what, before, after }) => [what, before, after]), [
    ["step 1: whether there is ai-7", false, true],
    ["step 2: state of ai-7, as step 1 leaves it", "Halted", "Running"],
    ["step 3: label of ai-7, as step 1 leaves it", property("red"), property("blue")],
    ["step 5: memory of ai-7, as step 4 leaves it", property("800"), property("900")],
    ["step 6: whether there is ai-8", false, true],
    ["step 7: whether there is ai-8, as step 6 leaves it", true, true],
  ]);
  assertEquals(unknown, ["step 4: memory of ai-7: known only after step 1"]);
});

Deno.test("a qube that is shut down and removed is shown as it will be; after that it is gone", async () => {
  const { rows, unknown } = await preview(
    set("memory", "800"),
    { operation: "vm.shutdown", vm: "work" },
    { operation: "vm.remove", vm: "work" },
    set("memory", "900"),
    { operation: "vm.remove", vm: "work" },
    { operation: "vm.create", vm: "work", label: "red" },
    set("memory", "900"),
  );
  assertEquals(rows.slice(1).map(({ what, before, after }) => [what, before, after]), [
    ["step 2: state of work", "Running", "Halted"],
    [
      "step 3: the qube work, as step 2 leaves it",
      { name: "work", state: "Halted", memory: "800", disk: "2048" },
      null,
    ],
    ["step 6: whether there is work, as step 5 leaves it", false, true],
  ]);
  assertEquals(unknown, [
    "step 3: last start of work: known only after step 2",
    "step 3: bytes used by work:root: known only after step 2",
    "step 3: bytes used by work:private: known only after step 2",
    "step 3: states of work:private from its last shutdowns: known only after step 2",
    "step 4: memory of work: step 3 removes the qube",
    "step 5: the qube work: step 3 removes the qube",
    "step 5: last start of work: step 3 removes the qube",
    "step 5: bytes used by work:root: step 3 removes the qube",
    "step 5: bytes used by work:private: step 3 removes the qube",
    "step 5: states of work:private from its last shutdowns: step 3 removes the qube",
    "step 7: memory of work: known only after step 6",
  ]);
});

Deno.test("rules of a firewall add up; a number that a step takes away is counted without", async () => {
  const { rows } = await preview(
    { operation: "vm.firewall.add", vm: "work", action: "drop" },
    { operation: "vm.firewall.remove", vm: "work", rule_no: 0 },
    { operation: "vm.firewall.reset", vm: "work" },
  );
  const drop = { action: "drop" };
  assertEquals(rows.map(({ before, after }) => [before, after]), [
    [[RULE], [RULE, drop]],
    [[RULE, drop], [drop]],
    [[drop], [{ action: "accept" }]],
  ]);
});

Deno.test("what a step may change in passing is known only after it", async () => {
  const reset = { operation: "vm.prefs.reset", vm: "work", property: "memory" };
  const global = { operation: "system.prefs.set", property: "default_netvm", value: "sys-vpn" };
  const run = { operation: "vm.run", vm: "work", command: "true" };
  const cases: [StepText[], string[]][] = [
    // The default is not known before.
    [[reset, set("memory", "800")], ["step 2: memory of work: known only after step 1"]],
    // A default follows the system's.
    [[global, set("netvm", "sys-vpn")], ["step 2: netvm of work: known only after step 1"]],
    [[global, set("memory", "800")], []],
    [[set("template", "x"), set("netvm", "y")], ["step 2: netvm of work: known only after step 1"]],
    // What runs in a qube may do anything.
    [[set("memory", "1"), run, set("memory", "2")], [
      "step 3: memory of work: known only after step 2",
    ]],
    // And so may a step whose values are known only when it runs.
    [[
      { operation: "vm.names", name: "all" },
      { operation: "vm.start", vm: "${all.0}" },
      { operation: "vm.shutdown", vm: "work" },
    ], ["step 3: state of work: known only after step 2"]],
    // A step that only reads changes nothing.
    [[{ operation: "vm.list" }, set("memory", "800")], []],
  ];
  for (const [steps, expected] of cases) {
    assertEquals((await preview(...steps)).unknown, expected, JSON.stringify(steps));
  }
});

Deno.test("nothing of a part that may not be shown gets into a later row", async () => {
  const plan = parsePlan(JSON.stringify({
    steps: [
      { operation: "vm.firewall.add", vm: "work", action: "drop" },
      { operation: "vm.firewall.add", vm: "work", action: "accept" },
      set("memory", "800"),
      set("memory", "900"),
    ],
  }));
  const judged = judgePlan(AGENT, plan, { rules: RULES, known: KNOWN, nowMs: 0 });
  const showNothing = () => Promise.resolve(null);
  const shown = await previewOfRequest({ recognised: null, plan: judged }, read, showNothing);
  assert(!JSON.stringify(shown).includes("400"), "read");
  assert(!JSON.stringify(shown).includes("a.example"), "read");
  assertEquals(shown.rows.map(({ what }) => what), [
    "step 4: memory of work, as step 3 leaves it", // by the VM's own words
  ]);
});

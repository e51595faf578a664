// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals } from "@std/assert";
import { VERSION } from "../../../shared/io/version.ts";
import { createInforming, type Informing } from "../../../dom0/judge/informing.ts";
import type { JsonValue } from "../../../dom0/operations/operation.ts";
import { createJudge, type Judge, type JudgeOptions } from "../../../dom0/policy/judge.ts";
import { parsePolicy } from "../../../dom0/policy/parse_policy.ts";
import type { KnownQubes } from "../../../dom0/policy/qube_facts.ts";
import { NOW_MS, WORK } from "../fixture.ts";

const TYPES = new Map([["dom0", "AdminVM"], ["work", "AppVM"], ["ai", "AppVM"], [
  "vault",
  "AppVM",
]]);
const KNOWN: KnownQubes = {
  inventory: { types: TYPES, tagged: new Map([["ai", new Set(["ai"])]]) },
  tagsOf: (qube) => new Set(qube === "ai" ? ["ai"] : []),
  typeOf: (qube) => TYPES.get(qube) ?? "",
};

/** Of each qube: its netvm is one that nobody outside may see. */
const PREFS: JsonValue = {
  netvm: { value: "vault", isDefault: false },
  memory: { value: "400", isDefault: false },
};

function informing(rules: string): { informing: Informing; judge: Judge } {
  const policy: JudgeOptions = {
    rules: () => parsePolicy(new Map([["50.policy", rules]])),
    facts: () => Promise.resolve(KNOWN),
    dateMs: () => NOW_MS,
  };
  const judge = createJudge(policy);
  return {
    judge,
    informing: createInforming({
      policy,
      judge,
      read: (name) => Promise.resolve(name === "vm.names" ? [...TYPES.keys()] : PREFS),
      config: () => ({ approvalExpiresMs: 3600_000 }),
    }),
  };
}

async function explain(
  rules: string,
  name: string,
  ...pairs: [string, string][]
): Promise<unknown> {
  const { informing: told, judge } = informing(rules);
  return JSON.parse(await told.explain(WORK, await judge(WORK, { mode: "op", name, pairs })));
}

const SCOPED = "@monitor work @tag:ai allow\n@manage work @tag:ai ask\n";
const ALL = "@monitor work * allow\n* work * ask\n";
const memoryOf = (vm: string): [string, string][] => [
  ...[["vm", vm], ["property", "memory"], ["value", "800"]] as [string, string][],
];

Deno.test("explain: what would become of it, with a preview and the rule", async () => {
  assertEquals(await explain(ALL, "vm.prefs.set", ...memoryOf("ai")), {
    ...{ operation: "vm.prefs.set", decision: "ask", because: "50.policy:2" },
    preview: [{
      what: "memory of ai",
      before: { value: "400", isDefault: false },
      after: { value: "800", isDefault: false },
    }],
    expires: new Date(NOW_MS + 3600_000).toISOString(),
  });
});

Deno.test("explain: a qube outside and one that there is not are told of by the same bytes", async () => {
  const { informing: told, judge } = informing(SCOPED);
  const text = async (vm: string): Promise<string> => {
    const pairs = memoryOf(vm);
    return await told.explain(WORK, await judge(WORK, { mode: "op", name: "vm.prefs.set", pairs }));
  };
  assertEquals(await text("vault"), await text("ghost"));
  assertEquals(await text("vault"), '{"operation":"vm.prefs.set","decision":"deny"}\n');
});

Deno.test("explain: a preview names nothing that its VM may not see, and no rule's place", async () => {
  const pairs: [string, string][] = [["vm", "ai"], ["property", "netvm"], ["value", "ai"]];
  const said = await explain(SCOPED, "vm.prefs.set", ...pairs) as Record<string, unknown>;
  assertEquals(said["because"], undefined);
  assert(!JSON.stringify(said).includes("vault"), JSON.stringify(said));
});

Deno.test("explain: a plan's steps are told of as earlier ones leave things, or as known later", async () => {
  const { informing: told, judge } = informing(ALL);
  const steps = [
    { operation: "vm.create", vm: "new", label: "red" },
    { operation: "vm.prefs.set", vm: "new", property: "memory", value: "800" },
    { operation: "vm.prefs.set", vm: "ai", property: "memory", value: "800" },
    { operation: "vm.prefs.set", vm: "ai", property: "memory", value: "900" },
  ];
  const judgement = await judge(WORK, { mode: "plan", text: JSON.stringify({ steps }) });
  const { preview, later } = JSON.parse(await told.explain(WORK, judgement));
  assertEquals(preview.map(({ what }: { readonly what: string }) => what).slice(-2), [
    "step 3: memory of ai",
    "step 4: memory of ai, as step 3 leaves it",
  ]);
  assertEquals(later, ["step 2: memory of new: known only after step 1"]);
});

Deno.test("explain: who may not read gets no preview", async () => {
  const said = await explain("@manage work * allow\n", "vm.prefs.set", ...memoryOf("ai"));
  assertEquals(said, { operation: "vm.prefs.set", decision: "allow", because: "50.policy:1" });
});

Deno.test("ops: each operation of the table, with the decision on the best target", async () => {
  const decisions = async (rules: string): Promise<Map<string, string>> => {
    const listed = JSON.parse(await informing(rules).informing.list(WORK));
    return new Map(listed.map(({ name, decision }: Record<string, string>) => [name, decision]));
  };
  const scoped = await decisions(SCOPED);
  assertEquals(
    ["vm.list", "vm.start", "vm.run"].map((name) => scoped.get(name)),
    ["allow", "ask", "deny"],
  );
  assert([...(await decisions("")).values()].every((decision) => decision === "deny"));
});

Deno.test("who asks is told the version and the time, whatever the policy says", () => {
  const told = JSON.parse(informing("* * * deny").informing.about());
  assertEquals(told, { version: VERSION, time: new Date(NOW_MS).toISOString() });
});

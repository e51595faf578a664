// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Plans and undo: several operations as one, taken back if one fails; and what a VM did, taken back by
 * the operator. The programs are the real ones, over the simulated Qubes.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type Finished, install, type Installed, readAudit, until } from "./installed.ts";

const VMS = [{ name: "agent" }, { name: "ai-one", tags: ["ai"] }, { name: "vault" }];

/** A plan as its VM sends it, with the lines that come back. */
async function plan(
  { client }: Installed,
  text: string,
  ...options: string[]
): Promise<Finished & { readonly lines: readonly Record<string, unknown>[] }> {
  const end = await client("agent", ["--json", "plan", ...options, "-"], text);
  const lines = end.stdout.split("\n").filter((line) => line.startsWith('{"'));
  return { ...end, lines: lines.map((line) => JSON.parse(line)) };
}

async function tool({ world }: Installed, name: string, ...args: string[]): Promise<string> {
  const { code, stdout } = await new Deno.Command(`${world.dom0Bin}/${name}`, {
    args,
    clearEnv: true,
    env: world.dom0Env(),
  }).output();
  assertEquals(code, 0, `${name} ${args.join(" ")}`);
  return new TextDecoder().decode(stdout).trim();
}

const memoryOf = (qubes: Installed, qube: string): Promise<string> =>
  tool(qubes, "qvm-prefs", qube, "memory");

const GOOD = `
- {name: all, operation: vm.names}
- {operation: vm.prefs.set, vm: "\${all.0}", property: memory, value: "800"}
- {operation: vm.tags.add, vm: ai-one, tag: mine}
`;
const FAILS = `
- {operation: vm.prefs.set, vm: ai-one, property: memory, value: "900"}
- {operation: vm.prefs.set, vm: ai-one, property: no_such_property, value: "1"}
- {operation: vm.tags.remove, vm: ai-one, tag: mine}
`;

Deno.test("plans, and undo", async (t) => {
  await using qubes = await install(VMS);
  await qubes.authorize("agent", "--grant", "manage", "--scope", "@tag:ai");
  const daemon = await qubes.startDaemon(["agent"]);
  await tool(qubes, "qvm-prefs", "ai-one", "memory", "400");

  await t.step("a plan runs, with a result of one step in another", async () => {
    const { code, lines, stderr } = await plan(qubes, GOOD);
    assertEquals([code, stderr], [0, ""]);
    assertEquals(lines.map(({ outcome, plan }) => outcome ?? plan), [
      "done",
      "done",
      "done",
      "done",
    ]);
    assertEquals(lines[0]?.["result"], ["ai-one"]);
    assertEquals(await memoryOf(qubes, "ai-one"), "800");
  });
  await t.step("one that fails stops there; with --undo-on-failure all is as it was", async () => {
    const stopped = await plan(qubes, FAILS);
    assertEquals(stopped.lines.at(-1), { plan: "failed", steps: 3, done: 1 });
    assertEquals(await memoryOf(qubes, "ai-one"), "900");
    await tool(qubes, "qvm-prefs", "ai-one", "memory", "800");
    const undone = await plan(qubes, FAILS, "--undo-on-failure");
    assert(undone.code !== 0);
    assertEquals(undone.lines.at(-1)?.["plan"], "failed");
    assertEquals((undone.lines.at(-1)?.["undone"] as number[]).includes(1), true);
    assertEquals(await memoryOf(qubes, "ai-one"), "800");
    assert(readAudit(qubes.world).some(({ event }) => event === "plan-undo-ended"));
  });
  await t.step("one with a step that is denied, or is wrong, is refused whole", async () => {
    const denied = await plan(qubes, GOOD.replaceAll("ai-one", "vault"));
    assertEquals(denied.code, 126);
    const ghost = await plan(qubes, GOOD.replaceAll("ai-one", "ghost"));
    assertEquals([ghost.code, ghost.lines.length], [126, denied.lines.length]);
    const wrong = await plan(qubes, GOOD.replace("value", "valeu"));
    assertEquals(wrong.code, 126);
    assertStringIncludes(wrong.stdout + wrong.stderr, "vm.prefs.set has no parameter");
    assertEquals(await memoryOf(qubes, "ai-one"), "800");
  });
  await t.step("--check says what would become of it, and runs nothing", async () => {
    const checked = await qubes.client("agent", ["--json", "plan", "--check", "-"], FAILS);
    assertEquals([checked.code, checked.stderr], [0, ""]);
    assertStringIncludes(checked.stdout, '"decision":"allow"');
    assertStringIncludes(checked.stdout, "step 1: memory of ai-one");
    assertEquals(await memoryOf(qubes, "ai-one"), "800");
  });
  await t.step(
    "the operator lists what can be undone, and undoes a plan and an operation",
    async () => {
      assertEquals(
        (await qubes.client("agent", ["qvm-prefs", "ai-one", "memory", "1000"])).code,
        0,
      );
      const { stdout } = await qubes.dom0(["history", "--undoable", "--json", "--vm", "agent"]);
      const entries = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
      const last = entries.at(-1);
      assertEquals(last.kept, ["vm.prefs.set vm=ai-one property=memory value=1000"]);
      const refused = await qubes.dom0(["undo", last.id], "no\n");
      assertEquals(refused.code, 1);
      assertMatch(refused.stdout, /before it: .*"800"[^]*now: .*"1000".*\(not changed since\)/);
      const undone = await qubes.dom0(["undo", last.id], "yes\n");
      assertEquals([undone.code, undone.stderr.replace(/^Type.*?: /, "")], [0, ""]);
      assertEquals(await memoryOf(qubes, "ai-one"), "800");

      const first = entries.find(({ operation }) => operation === "plan");
      const whole = await qubes.dom0(["undo", first.id, "--yes"]);
      assertEquals(whole.code, 0, whole.stderr);
      assertEquals(await memoryOf(qubes, "ai-one"), "400");
      assert(!(await tool(qubes, "qvm-tags", "ai-one", "list")).includes("mine"));
      const again = await qubes.dom0(["history", "--vm", "agent"]);
      assertMatch(again.stdout, new RegExp(`${first.id}.*  undone$`, "m"));
      assertEquals((await qubes.dom0(["audit", "verify"])).code, 0);
    },
  );
  assertEquals(await daemon.stop(), 0);
});

Deno.test("a plan is shown, approved and run as one", async () => {
  await using qubes = await install(VMS);
  await qubes.authorize("agent", "--grant", "ask");
  const daemon = await qubes.startDaemon(["agent"]);
  await tool(qubes, "qvm-prefs", "ai-one", "memory", "400");
  const text = `
- {operation: vm.prefs.set, vm: ai-one, property: memory, value: "700"}
- {name: p, operation: vm.prefs.get, vm: ai-one, property: memory}
- {operation: vm.features.set, vm: vault, feature: x, value: "\${p}"}
`;
  const running = plan(qubes, text);
  let number = 0;
  await until("it waits", async () => {
    const views = JSON.parse((await qubes.dom0(["pending", "--json"])).stdout);
    number = views[0]?.number ?? 0;
    return number > 0;
  });
  const { stdout } = await qubes.dom0(["show", `${number}`]);
  assertStringIncludes(stdout, "what      plan: 3 operations, one after another (manage)");
  assertStringIncludes(stdout, "targets   ai-one");
  assertStringIncludes(
    stdout,
    "step 3: vm.features.set vm=vault feature=x value=${p} (known only when it runs)",
  );
  assertStringIncludes(stdout, "step 1: memory of ai-one: 400 -> 700");
  assertEquals(await memoryOf(qubes, "ai-one"), "400");
  assertEquals((await qubes.dom0(["approve", `${number}`], "yes\n")).code, 0);
  const { code, lines } = await running;
  assertEquals([code, lines.at(-1)], [0, { plan: "done", steps: 3, done: 3 }]);
  assertEquals(await tool(qubes, "qvm-features", "vault", "x"), "700");
  const records = readAudit(qubes.world);
  const parked = records.find(({ event }) => event === "parked");
  assertEquals(parked?.["operation"], "plan");
  const ofPlan = records.filter(({ id }) => id === parked?.id).map(({ event }) => event);
  assertEquals(ofPlan, ["parked", "approved", "done"]);

  const refused = await plan(
    qubes,
    '- {name: all, operation: vm.names}\n- {operation: vm.kill, vm: "${all.0}"}',
  );
  assertEquals(refused.code, 126);
  assertStringIncludes(refused.stdout + refused.stderr, "write it out");
  assertEquals(await daemon.stop(), 0);
});

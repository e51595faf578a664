// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A VM that may read, and must ask for everything else: operations, questions, approvals and answers
 * that are fetched later, as a person in the VM meets them. The programs are the real ones.
 */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { ParkedView } from "../../dom0/approval/parked_view.ts";
import { install, type Installed, until } from "./installed.ts";

const VM = "agent";
const WAITING = "qvm-remote: waiting for approval in dom0 ...\n";

interface Scene {
  readonly qubes: Installed;
  /** Runs the client; its exit code is checked. */
  client(code: number, ...words: string[]): Promise<{ stdout: string; stderr: string }>;
  /** Answers the one request that waits, as an operator. */
  decide(...words: string[]): Promise<ParkedView>;
}

function sceneOf(qubes: Installed): Scene {
  return {
    qubes,
    async client(code, ...words) {
      const { code: got, stdout, stderr } = await qubes.client(VM, words);
      assertEquals(got, code, `${words.join(" ")}: ${stderr}`);
      return { stdout, stderr };
    },
    async decide(...words) {
      let waiting: readonly ParkedView[] = [];
      await until("a request waits", async () => {
        waiting = JSON.parse((await qubes.dom0(["pending", "--json"])).stdout);
        return waiting.length === 1;
      });
      const [view] = waiting;
      if (view === undefined) throw new Error("nothing waits");
      const [verb = "", ...options] = words;
      const { code, stderr } = await qubes.dom0([verb, `${view.number}`, ...options]);
      assertEquals(code, 0, stderr);
      return view;
    },
  };
}

Deno.test("a VM that may read and must ask", async (t) => {
  await using qubes = await install([{ name: VM }, { name: "work" }]);
  await qubes.authorize(VM, "--grant", "ask");
  const daemon = await qubes.startDaemon([VM]);
  const { client, decide } = sceneOf(qubes);
  const set = (memory: string) => ["vm.prefs.set", "vm=work", "property=memory", `value=${memory}`];

  await t.step("ops says what it may do with each operation", async () => {
    const { stdout } = await client(0, "ops");
    assertMatch(stdout, /^OPERATION +LEVEL +YOU MAY +WHAT IT DOES\n/);
    assertMatch(stdout, /^vm\.list +monitor +allow +\S/m);
    assertMatch(stdout, /^vm\.prefs\.set +manage +ask +\S/m);
    const listed = JSON.parse((await client(0, "ops", "--json")).stdout);
    const start = listed.find(({ name }: { name: string }) => name === "vm.start");
    assertEquals([start.decision, start.parameters.required], ["ask", ["vm"]]);
  });

  await t.step("an operation that reads gives a value, or what the tool prints", async () => {
    const value = JSON.parse((await client(0, "op", "vm.list", "--json")).stdout);
    const names = value.map(({ name }: { name: string }) => name);
    assertEquals(names.includes("work"), true, JSON.stringify(value));
    assertMatch((await client(0, "op", "vm.list")).stdout, /^work\|/m);
  });

  await t.step("--explain says what would be done, and nothing is done or asked", async () => {
    const asWords = ["--explain", "qvm-prefs", "work", "memory", "800"];
    for (const words of [asWords, ["op", ...set("800"), "--explain"]]) {
      const { stdout, stderr } = await client(0, ...words);
      assertMatch(stdout, /^operation +vm\.prefs\.set\ndecision +ask\n/);
      assertMatch(stdout, /^preview +memory of work: 400 \(the default\) -> 800$/m);
      assertEquals(stderr, "");
    }
    assertEquals((await qubes.dom0(["pending", "--json"])).stdout.trim(), "[]");
  });

  await t.step("what asks waits for a person, says so once, and runs on a yes", async () => {
    const running = client(0, "op", ...set("800"), "--why", "the build needs it");
    const view = await decide("approve", "--yes");
    assertEquals([view.operation, view.why], ["vm.prefs.set", "the build needs it"]);
    assertEquals(await running, { stdout: "", stderr: WAITING });
    const { stdout } = await client(0, "op", "vm.prefs.get", "vm=work", "property=memory");
    assertEquals(stdout, "800\n");
  });

  await t.step("a no ends it with 126 and the reason of that person", async () => {
    const running = client(126, "qvm-prefs", "work", "memory", "900");
    await decide("deny", "--reason", "too much");
    const { stderr } = await running;
    assertStringIncludes(stderr, WAITING);
    assertStringIncludes(stderr, "qvm-remote-dom0: too much\n");
    assertStringIncludes(stderr, "error: refused by dom0: a person in dom0 said no");
  });

  await t.step("--detach leaves the request; wait has the answer, after all that", async () => {
    const { stdout } = await client(0, "--detach", "qvm-prefs", "work", "memory", "700");
    const id = stdout.trim();
    assertEquals((await decide("approve", "--yes")).id, id);
    assertEquals(await client(0, "wait", id), { stdout: "", stderr: "" });
    assertStringIncludes((await client(1, "wait", id)).stderr, "its answer was fetched");
  });

  const plan = (...steps: readonly object[]): string => {
    const path = `${qubes.world.vmHome(VM)}/plan.json`;
    Deno.writeTextFileSync(path, JSON.stringify(steps));
    return path;
  };
  const setStep = (value: string) => ({
    ...{ operation: "vm.prefs.set", vm: "work", property: "memory", value },
  });

  await t.step("a plan is checked without asking anybody, and run as one on a yes", async () => {
    const path = plan(
      { operation: "vm.create", name: "new", vm: "made", label: "red" },
      { operation: "vm.prefs.set", vm: "made", property: "memory", value: 600 },
    );
    const checked = await client(0, "plan", "--check", path);
    assertMatch(checked.stdout, /^operation +plan\ndecision +ask\n/);
    const running = client(0, "plan", path);
    assertEquals((await decide("approve", "--yes")).operation, "plan");
    assertEquals(
      (await running).stdout,
      "step 1 (new): vm.create: done\nstep 2: vm.prefs.set: done\nplan done: 2 of 2 steps done\n",
    );
  });

  await t.step("a step that fails ends the plan, and those before it are undone", async () => {
    const path = plan(setStep("500"), { operation: "vm.create", vm: "work", label: "red" });
    const running = client(1, "plan", "--undo-on-failure", path);
    await decide("approve", "--yes");
    const { stdout } = await running;
    assertMatch(stdout, /^step 1: vm\.prefs\.set: done\nstep 2: vm\.create: failed, exit \d+/);
    assertMatch(stdout, /^plan failed: 1 of 2 steps done; undone: (2, )?1$/m);
    const memory = await client(0, "op", "vm.prefs.get", "vm=work", "property=memory");
    assertEquals(memory.stdout, "700\n");
  });

  await t.step("a plan that is wrong is refused with the step and the key", async () => {
    const { stderr } = await client(126, "plan", plan(setStep("1"), { operation: "vm.strat" }));
    assertMatch(stderr, /^qvm-remote-dom0: .*step 2: there is no operation "vm\.strat"/m);
    assertStringIncludes(stderr, "error: refused by dom0: dom0 cannot read the plan");
  });

  await t.step("what is no operation, or wrong, is refused with what is wrong", async () => {
    const unknown = await client(126, "op", "vm.lst");
    assertMatch(unknown.stderr, /^qvm-remote-dom0: .*vm\.lst/m);
    assertStringIncludes(unknown.stderr, "error: refused by dom0: there is no such operation");
    const wrong = await client(126, "op", "vm.prefs.set", "vm=wo rk", "property=memory", "value=1");
    assertMatch(wrong.stderr, /^qvm-remote-dom0: /m);
  });

  await t.step("ping is answered without asking anybody", async () => {
    await client(0, "ping");
    await until(
      "nothing waits",
      async () => (await qubes.dom0(["pending", "--json"])).stdout.trim() === "[]",
    );
  });
  await daemon.stop();
});
